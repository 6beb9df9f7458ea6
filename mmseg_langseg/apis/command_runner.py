"""Runner with a concise console log."""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

# Suppressed: one warning per frozen parameter, the missing prefix of a metric (needed only with
# several metrics), and deprecations within MMEngine itself.
_NOWHERE = (
    'is skipped since its requires_grad=False',
    'The prefix is not set in metric class',
    '"FileClient" will be deprecated in future',
    '"HardDiskBackend" is the alias of "LocalBackend"',
)
# Long, and needed only when something goes wrong.
_LOG_FILE_ONLY = (
    'System environment:',
    'Config:\n',
    'Hooks will be executed in the following order:',
    'paramwise_options -- ',
    'Distributed training is not used, all SyncBatchNorm',
)


class CommandRunner(Runner):
    """Runner that keeps the console concise and logs details to the log file only.

    Environment, config, hooks and per-parameter options go to the log file only; its path is the
    first line on the console. One line with the number of trained parameters replaces a warning
    per frozen parameter. Everything else is as in MMEngine's ``Runner``.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build MMEngine's logger and add the filters."""
        logger = super().build_logger(*args, **kwargs)
        logger.addFilter(lambda record: not _holds(record, _NOWHERE))
        for handler in logger.handlers:
            # File names may be invalid text.
            if isinstance(getattr(handler, 'stream', None), io.TextIOWrapper):
                handler.stream.reconfigure(errors='backslashreplace')
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(lambda record: not _holds(record, _LOG_FILE_ONLY))
        logger.info(f'Environment, config and hooks are in {logger.log_file}')
        return logger

    def build_optim_wrapper(self, optim_wrapper: Any) -> OptimWrapper | OptimWrapperDict:
        """Build the optimizer wrapper and log the number of trained parameters."""
        built = super().build_optim_wrapper(optim_wrapper)
        sizes = [(p.numel(), p.requires_grad) for p in self.model.parameters()]
        trained, total = sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)
        self.logger.info(f'{trained:,} of {total:,} parameters are trained, the others are frozen.')
        return built

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register hooks, without the warning about drawing on demand only (``--show-dir``)."""
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='The draw is False')
            super().register_hooks(*args, **kwargs)


def _holds(record: logging.LogRecord, texts: tuple[str, ...]) -> bool:
    message = record.getMessage()
    return any(text in message for text in texts)
