"""Runner with a concise console log."""

from __future__ import annotations

import io
import logging
import os
import warnings
from pathlib import Path
from typing import Any

from mmengine.device import get_device
from mmengine.dist import master_only
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn

from mmseg_langseg._toolbox import without_known_noise
from mmseg_langseg.fileio import write_whole_file

# Suppressed: one warning per frozen parameter, the missing prefix of a metric (needed only with
# several metrics), and deprecations within MMEngine itself.
_NOWHERE = (
    'is skipped since its requires_grad=False',
    'The prefix is not set in metric class',
    '"FileClient" will be deprecated in future',
    '"HardDiskBackend" is the alias of "LocalBackend"',
    'Loads checkpoint by data_',
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

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several processes, unless nothing in it is trained.

        torch refuses to wrap a model without trained parameters, such as MaskCLIP in a test.
        """
        if self.distributed and not any(p.requires_grad for p in model.parameters()):
            return model.to(get_device())
        return super().wrap_model(model_wrapper_cfg, model)

    def build_optim_wrapper(self, optim_wrapper: Any) -> OptimWrapper | OptimWrapperDict:
        """Build the optimizer wrapper and log the number of trained parameters."""
        built = super().build_optim_wrapper(optim_wrapper)
        sizes = [(p.numel(), p.requires_grad) for p in self.model.parameters()]
        trained, total = sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)
        self.logger.info(f'{trained:,} of {total:,} parameters are trained, the others are frozen.')
        return built

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> dict:
        """Load a checkpoint; one line of the log names it."""
        with without_known_noise():
            return super().load_checkpoint(*args, **kwargs)

    @master_only
    def dump_config(self) -> None:
        """Write the config into the log folder and, as MMEngine does, into the work folder.

        In the work folder, only a dump of an earlier run is replaced, not the config file itself
        or any other file.
        """
        name = os.path.basename(self.cfg.filename or f'{self.timestamp}.py')
        dumped, usual = Path(self.log_dir, name), Path(self.work_dir, name)
        self.cfg.dump(str(dumped))
        if not os.path.lexists(usual) or self._is_dump(usual):
            write_whole_file(usual, dumped.read_bytes())
        else:
            self.logger.info(f'{usual} stays as it is; the config of this run is in {dumped}')

    def _is_dump(self, path: Path) -> bool:
        """Return whether a file is the dump of an earlier run, whose log folder holds a copy."""
        source = self.cfg.filename
        if not path.is_file() or (source and os.path.exists(source) and path.samefile(source)):
            return False
        content, folder = path.read_bytes(), Path(self.work_dir)
        # The latter copy is made by MMEngine's visualizer, also in runs without this class.
        copies = [*folder.glob(f'*/{path.name}'), *folder.glob('*/vis_data/config.py')]
        return any(copy.read_bytes() == content for copy in copies if copy.is_file())

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register hooks, without the warning about drawing on demand only (``--show-dir``)."""
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='The draw is False')
            super().register_hooks(*args, **kwargs)


def _holds(record: logging.LogRecord, texts: tuple[str, ...]) -> bool:
    message = record.getMessage()
    return any(text in message for text in texts)
