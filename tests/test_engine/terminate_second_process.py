"""Hook for configs of tests: SIGTERM reaches the second of several processes only."""

import os
import signal

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmseg.registry import HOOKS


@HOOKS.register_module()
class TerminateSecondProcess(Hook):
    """Sends SIGTERM to the second process in the fourth iteration."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 3 and get_rank() == 1:
            os.kill(os.getpid(), signal.SIGTERM)
