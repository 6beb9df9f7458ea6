"""Stop a training with a checkpoint when it gets SIGTERM."""

from __future__ import annotations

import signal
import threading
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, is_distributed
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS

REQUEUE = 75
"""Exit status of a training that SIGTERM stopped: ``EX_TEMPFAIL``, "try again later"."""


@HOOKS.register_module()
class TerminationHook(Hook):
    """Write a checkpoint and exit with status 75 when the training gets SIGTERM.

    Slurm sends it before the time limit (``--signal=TERM@120``) and on preemption, cloud providers
    before they take a machine back. The training finishes the iteration, writes a checkpoint and
    ends; ``--resume`` continues it. In a distributed training, the processes agree at the end of
    each iteration whether one of them got the signal, and all leave together once the checkpoint
    is written. With gradient accumulation, it stops at the next optimizer step, as gradients are
    not saved.

    During a validation, a training of one process stops after the current batch, and the
    validation is not repeated by ``--resume``. Several processes finish the validation and the
    next iteration first, as they may have different numbers of batches.

    A training by epochs ends without a new checkpoint: it can only be resumed from whole epochs.
    """

    # After the checkpoint hook, which may write a checkpoint at the same iteration.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None

    def before_train(self, runner: Runner) -> None:
        """Install the signal handler; Python allows this in the main thread only."""
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGTERM, self._request)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop after an optimizer step if any process got the signal.

        Raises:
            SystemExit: With status 75.
        """
        if self._any_requested() and _can_stop(runner):
            self._stop(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop during the validation of a training on one process.

        Raises:
            SystemExit: With status 75.
        """
        if self.requested and not is_distributed() and _can_stop(runner):
            self._stop(runner, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Restore the previous signal handler."""
        if self._previous is not None:
            signal.signal(signal.SIGTERM, self._previous)
            self._previous = None

    def _request(self, number: int, frame: Any) -> None:
        self.requested = True

    def _any_requested(self) -> bool:
        if not is_distributed():
            return self.requested
        flag = torch.tensor(int(self.requested))
        all_reduce(flag, 'max')
        return bool(flag)

    def _stop(self, runner: Runner, iteration: int) -> None:
        written = _write_checkpoint(runner, iteration)
        barrier()
        runner.logger.warning(
            f'Stopped by SIGTERM after iteration {iteration}; {written}. Continue with --resume.'
        )
        self.after_train(runner)
        raise SystemExit(REQUEUE)


def _can_stop(runner: Runner) -> bool:
    """Whether no accumulated gradients wait for the optimizer step."""
    wrapper = runner.optim_wrapper
    return not isinstance(wrapper, OptimWrapper) or wrapper.should_update()


def _write_checkpoint(runner: Runner, iteration: int) -> str:
    """Write a checkpoint unless there is one of this iteration; return what there is."""
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    if hook is None or hook.by_epoch:
        return 'no checkpoint of it was written'
    name = hook.filename_tmpl.format(iteration)
    path = hook.file_backend.join_path(hook.out_dir, name)
    if hook.last_ckpt != path:
        hook._save_checkpoint_with_step(
            runner, iteration, meta=dict(epoch=runner.epoch, iter=iteration)
        )
    return f'the checkpoint is {path}'
