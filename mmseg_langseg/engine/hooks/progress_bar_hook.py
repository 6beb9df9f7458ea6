"""Progress bars instead of log lines."""

from __future__ import annotations

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from tqdm import tqdm


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show a progress bar for training and test, for short interactive runs.

    Args:
        title: Text before the bar.
    """

    def __init__(self, title: str = '') -> None:
        self.title = title
        self.bar: tqdm | None = None

    def _start(self, total: int) -> None:
        self.bar = tqdm(total=total, desc=self.title, disable=not is_main_process(), leave=True)

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def before_train(self, runner: Runner) -> None:
        """Open the bar of the training."""
        self._start(runner.max_iters)
        self.bar.update(runner.iter)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Advance the bar and show the loss."""
        self.bar.update()
        if outputs and 'loss' in outputs:
            self.bar.set_postfix(loss=f'{float(outputs["loss"]):.3f}', refresh=False)

    def after_train(self, runner: Runner) -> None:
        """Close the bar."""
        self._stop()

    def before_test(self, runner: Runner) -> None:
        """Open the bar of a test."""
        self._start(len(runner.test_dataloader))

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Advance the bar."""
        self.bar.update()

    def after_test(self, runner: Runner) -> None:
        """Close the bar."""
        self._stop()
