"""Limit of open files that the workers of data loaders need."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from mmengine.config import Config

try:
    import resource
except ImportError:  # Windows
    resource = None

MARGIN = 16
"""Files that a process opens later: logs, checkpoints, images, libraries."""

PER_WORKER = 3
"""Files that the main process keeps open for each worker."""

TENSORS_PER_SAMPLE = 4
"""Most tensors in a sample of the package's pipelines, those of ``PackViews``."""


def check_open_files(cfg: Config, *loaders: str) -> None:
    """Check that enough files may be open for data loader workers, and raise the limit if needed.

    A tensor that a worker passes on is an open file until the main process has dropped it. A worker
    that cannot open one loses its batch, and the main process would wait for it forever. The soft
    limit is raised to what all workers can need, as far as the hard limit allows.

    Args:
        cfg: The config.
        loaders: Keys of dataloaders; missing ones and those without workers are skipped.

    Raises:
        OSError: The hard limit is below the need of one worker; the message says what to change.
    """
    used = {name: cfg[name] for name in loaders if _workers(cfg.get(name) or {})}
    if resource is None or not used:
        return
    base = _open_files() + MARGIN + PER_WORKER * sum(map(_workers, used.values()))
    # While a worker passes a tensor on, it has it open twice.
    least = base + max((_batches(loader) + 1) * _tensors(loader) for loader in used.values())
    most = base + sum(
        _workers(loader) * _batches(loader) * _tensors(loader) for loader in used.values()
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _finite(hard) < least:
        workers = ', '.join(f'{name}.num_workers={_workers(used[name])}' for name in used)
        raise OSError(
            f'At most {hard} files can be open (ulimit -Hn), but {workers} may need {least}. Raise '
            'the limit, or use smaller values of num_workers or batch_size (0 workers need none).'
        )
    wanted = min(max(least, most), _finite(hard))
    if _finite(soft) < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _workers(loader: Mapping) -> int:
    number = loader.get('num_workers', 0)
    return number if isinstance(number, int) else 0


def _batches(loader: Mapping) -> int:
    """Batches that a worker loads ahead; torch's default is 2."""
    return loader.get('prefetch_factor') or 2


def _tensors(loader: Mapping) -> int:
    return (loader.get('batch_size') or 1) * TENSORS_PER_SAMPLE


def _finite(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _open_files() -> int:
    return len(os.listdir('/dev/fd'))
