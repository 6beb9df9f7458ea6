"""Lock that allows one training per work folder at a time."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine.config import Config
from mmengine.dist import get_rank

from mmseg_langseg.fileio import LangSegWarning, write_whole_file

from .resume import local_folders

LOCK = '.training.lock'
OWNER = '.training.owner'
_RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')


@contextmanager
def run_lock(cfg: Config) -> Iterator[None]:
    """Lock a config's work folder and checkpoint folder for one training.

    Raises:
        RuntimeError: See :func:`training_lock`.
    """
    with ExitStack() as locks:
        for folder in local_folders(cfg):
            locks.enter_context(training_lock(folder, cfg.launcher))
        yield


@contextmanager
def training_lock(
    folder: str | os.PathLike, launcher: str = 'none', option: str = '--work-dir'
) -> Iterator[None]:
    """Lock a folder for one training; two would remove each other's checkpoints.

    The operating system releases the lock whenever its process ends. In a distributed training,
    only the main process holds it.

    Args:
        folder: Work folder or checkpoint folder; created if needed.
        launcher: How the processes were started, see :func:`run_training`.
        option: Option of the command that sets the folder, for the message.

    Raises:
        RuntimeError: Another training uses the folder; the message names its process.
    """
    if not _is_main(launcher):
        yield
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / OWNER
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RuntimeError(
            f"Another training uses the folder '{folder}': {_read(owner)}. Wait until it ends, "
            f'stop it, or choose a folder of another name with {option}.'
        ) from None
    except (NotImplementedError, OSError) as error:
        # Some cluster file systems are mounted without locks.
        warnings.warn(
            f"the folder '{folder}' cannot be locked: {error}", LangSegWarning, stacklevel=3
        )
    try:
        write_whole_file(owner, _this_process().encode())
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _is_main(launcher: str) -> bool:
    """Whether this is the main process, even before the process group is initialized."""
    return get_rank() == 0 and int(os.environ.get(_RANKS.get(launcher, ''), 0)) == 0


def _this_process() -> str:
    since = time.strftime('%Y-%m-%d %H:%M:%S')
    return f'process {os.getpid()} on {socket.gethostname()}, since {since}'


def _read(owner: Path) -> str:
    try:
        return owner.read_text(encoding='utf-8')
    except OSError:
        return 'a process that has just started'
