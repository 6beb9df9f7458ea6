"""One training in a work folder at a time."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine.dist import get_rank

from mmseg_langseg.fileio import LangSegWarning, write_whole_file

LOCK = '.training.lock'
OWNER = '.training.owner'
_RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')


@contextmanager
def training_lock(work_dir: str | os.PathLike, launcher: str = 'none') -> Iterator[None]:
    """Keep other trainings out of a work folder; two would remove each other's checkpoints.

    The lock is of the operating system, which releases it whenever its process ends. Of a
    distributed training, the main process alone holds it.

    Args:
        work_dir: The folder; is made if needed.
        launcher: How the processes were started, see :func:`run_training`.

    Raises:
        RuntimeError: Another training uses the folder; names its process.
    """
    if not _is_main(launcher):
        yield
        return
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / OWNER
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RuntimeError(
            f"Another training uses the work folder '{folder}': {_read(owner)}. Wait until it has "
            'ended, end it, or give this one a folder of its own with --work-dir.'
        ) from None
    except (NotImplementedError, OSError) as error:
        # Some cluster file systems are mounted without locks.
        warnings.warn(
            f"the work folder '{folder}' cannot be locked: {error}", LangSegWarning, stacklevel=3
        )
    try:
        write_whole_file(owner, _this_process().encode())
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _is_main(launcher: str) -> bool:
    """Whether this is the main process, also before the processes are connected."""
    return get_rank() == 0 and int(os.environ.get(_RANKS.get(launcher, ''), 0)) == 0


def _this_process() -> str:
    since = time.strftime('%Y-%m-%d %H:%M:%S')
    return f'process {os.getpid()} on {socket.gethostname()}, since {since}'


def _read(owner: Path) -> str:
    try:
        return owner.read_text(encoding='utf-8')
    except OSError:
        return 'a process that has just started'
