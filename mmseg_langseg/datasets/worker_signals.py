"""Keep data loader workers alive when all processes of a job get SIGTERM."""

from __future__ import annotations

import functools
import os
import signal
import threading


@functools.cache
def ignore_sigterm_of_others() -> None:
    """Let only its parent end this data loader worker with SIGTERM.

    Slurm and the shutdown of a machine send SIGTERM to every process of a job, which would end the
    workers while the training process needs them to finish a step. Call it in a worker; further
    calls, and calls on systems without ``sigwaitinfo`` (macOS, Windows), do nothing.
    """
    if not hasattr(signal, 'sigwaitinfo'):
        return
    # Threads that are started later inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_wait_for_parent, args=(os.getppid(),), daemon=True).start()


def _wait_for_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)  # as torch's own handler does in a worker
