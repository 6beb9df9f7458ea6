"""The Runner of our commands, whose console shows what a person must know."""

from __future__ import annotations

import io
import logging
import os
import warnings
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from mmseg_langseg.fileio import write_whole_file

# Warnings about each frozen parameter, about a metric without the prefix that only several metrics
# need, and about MMEngine's own use of MMEngine.
_NOWHERE = (
    'is skipped since its requires_grad=False',
    'The prefix is not set in metric class',
    '"FileClient" will be deprecated in future',
    '"HardDiskBackend" is the alias of "LocalBackend"',
)
# Long, and wanted when something went wrong.
_LOG_FILE_ONLY = (
    'System environment:',
    'Config:\n',
    'Hooks will be executed in the following order:',
    'paramwise_options -- ',
    'Distributed training is not used, all SyncBatchNorm',
)


class CommandRunner(Runner):
    """MMEngine's Runner; its console leaves out what the log file holds.

    Environment, config, hooks and the options of each parameter go to the log file alone, whose
    path is the first line. Instead of a warning for each frozen parameter, one line says how much
    is trained. Everything else is MMEngine's.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build MMEngine's logger with the filters."""
        logger = super().build_logger(*args, **kwargs)
        logger.addFilter(lambda record: not _holds(record, _NOWHERE))
        for handler in logger.handlers:
            # A file name need not be text.
            if isinstance(getattr(handler, 'stream', None), io.TextIOWrapper):
                handler.stream.reconfigure(errors='backslashreplace')
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(lambda record: not _holds(record, _LOG_FILE_ONLY))
        logger.info(f'Environment, config and hooks are in {logger.log_file}')
        return logger

    def build_optim_wrapper(self, optim_wrapper: Any) -> OptimWrapper | OptimWrapperDict:
        """Build the optimizer and say how much of the model it trains."""
        built = super().build_optim_wrapper(optim_wrapper)
        sizes = [(p.numel(), p.requires_grad) for p in self.model.parameters()]
        trained, total = sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)
        self.logger.info(f'{trained:,} of {total:,} parameters are trained, the others are frozen.')
        return built

    @master_only
    def dump_config(self) -> None:
        """Write the config as it runs into the log folder and, as MMEngine, into the work folder.

        In the work folder, the file that the run was started with stays as it is, and so does any
        file that is not known to be the dump of an earlier run.
        """
        name = os.path.basename(self.cfg.filename or f'{self.timestamp}.py')
        dumped, usual = Path(self.log_dir, name), Path(self.work_dir, name)
        self.cfg.dump(str(dumped))
        if not os.path.lexists(usual) or self._is_dump(usual):
            write_whole_file(usual, dumped.read_bytes())
        else:
            self.logger.info(f'{usual} stays as it is; the config of this run is in {dumped}')

    def _is_dump(self, path: Path) -> bool:
        """Whether an earlier run wrote a file of the work folder: its log folder has the same."""
        source = self.cfg.filename
        if not path.is_file() or (source and os.path.exists(source) and path.samefile(source)):
            return False
        content, folder = path.read_bytes(), Path(self.work_dir)
        # The latter is of MMEngine's visualizer, which runs without this class have as well.
        copies = [*folder.glob(f'*/{path.name}'), *folder.glob('*/vis_data/config.py')]
        return any(copy.read_bytes() == content for copy in copies if copy.is_file())

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register hooks; one that draws only on demand (``--show-dir``) is no reason to warn."""
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='The draw is False')
            super().register_hooks(*args, **kwargs)


def _holds(record: logging.LogRecord, texts: tuple[str, ...]) -> bool:
    message = record.getMessage()
    return any(text in message for text in texts)
