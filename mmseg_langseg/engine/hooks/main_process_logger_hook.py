"""Logger hook that writes test metrics in the main process only."""

from __future__ import annotations

from mmengine.dist import is_main_process
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class MainProcessLoggerHook(LoggerHook):
    """``LoggerHook`` that writes the metrics of a test in the main process only.

    In MMEngine, all processes write them to one file at once. Their measured times differ, so the
    end of a longer text may remain after a shorter one, and the file is no longer valid JSON.
    """

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the metrics, see ``LoggerHook``."""
        if is_main_process():
            super().after_test_epoch(runner, metrics)
