"""Keep the weights of a training at regular intervals."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_langseg.fileio import whole_local_backend  # noqa: F401  (registers the backend)


@HOOKS.register_module()
class WeightsSnapshotHook(Hook):
    """Write the weights every few iterations, and at the end, without the state of the optimizer.

    The files are a third of the size of checkpoints that a training can be resumed from, of which
    ``WholeCheckpointHook`` keeps the last ones only. Use them as ``--weights`` or in tests.

    Args:
        interval: Iterations between two files.
        out_dir: Folder of the files ``iter_N.pth``.
    """

    # Before the checkpoint hook: a training resumed from a checkpoint has all earlier snapshots.
    priority = 'LOW'

    def __init__(self, interval: int, out_dir: str) -> None:
        self.interval = interval
        self.out_dir = str(out_dir)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the weights if an interval or the training ends; see ``Hook``."""
        due = self.every_n_train_iters(runner, self.interval)
        if due or self.is_last_train_iter(runner):
            runner.save_checkpoint(
                self.out_dir,
                f'iter_{runner.iter + 1}.pth',
                save_optimizer=False,
                save_param_scheduler=False,
                by_epoch=False,
                backend_args=dict(backend='whole_local'),
            )
