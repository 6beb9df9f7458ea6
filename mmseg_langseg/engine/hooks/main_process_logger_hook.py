"""Logging whose result file has one writer."""

from __future__ import annotations

from mmengine.dist import is_main_process
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class MainProcessLoggerHook(LoggerHook):
    """MMEngine's ``LoggerHook``, but the main process alone writes the figures of a test.

    There, all processes write them to one file at once. They differ in the times that they took,
    so that a longer text can stick out behind a shorter one, and the file is no JSON any more.
    """

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the figures, see ``LoggerHook``."""
        if is_main_process():
            super().after_test_epoch(runner, metrics)
