"""Hook for configs of tests: SIGTERM reaches the second of several processes only."""

import atexit
import contextlib
import os
import signal
import time
from pathlib import Path

from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook
from mmseg.registry import HOOKS


@HOOKS.register_module()
class TerminateSecondProcess(Hook):
    """Sends SIGTERM to the second process in the fourth iteration, and lets it leave last.

    It then creates the file ``left`` in the current folder.
    """

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter != 3:
            return
        first = all_gather_object(os.getpid())[0]
        if get_rank() == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            atexit.register(_leave_last, first)


def _leave_last(first):
    with contextlib.suppress(ProcessLookupError):
        for _ in range(200):
            os.kill(first, 0)
            time.sleep(0.1)
    time.sleep(0.5)
    Path('left').touch()
