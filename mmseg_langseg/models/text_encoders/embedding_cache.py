"""Disk cache of text embeddings."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import time
import warnings
from pathlib import Path

import torch
from torch import Tensor

from mmseg_langseg.fileio import LangSegWarning, read_checkpoint, write_whole_file

# write_whole_file's temporary files, and those of earlier versions.
TEMPORARY = re.compile(r'([0-9a-f]{32}\.pt\..+|tmp\w+)\.tmp')
LEFTOVER_SECONDS = 3600


class EmbeddingCache:
    """Disk cache with one small file per key; several processes may read and write at once.

    A cache only saves time: failed reads and writes give a warning, once per cache.

    Args:
        folder: Folder of the files; created when first needed.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder).expanduser()
        self._has_warned = False

    def path(self, key: dict) -> Path:
        """Return the file of a key."""
        return self.folder / f'{hashlib.sha256(_text(key)).hexdigest()[:32]}.pt'

    def get(self, key: dict, shape: tuple[int, int]) -> Tensor | None:
        """Return the rows of a key, on the CPU; None if there are none or they are unusable."""
        path = self.path(key)
        try:
            rows = _read(path, key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._warn(f'cannot be read: {error}')
            return None
        if rows is None or rows.shape != shape:
            warnings.warn(
                f"Text cache file '{path}' is damaged or has other content: it is rebuilt.",
                LangSegWarning,
                stacklevel=2,
            )
            return None
        return rows

    def put(self, key: dict, rows: Tensor) -> None:
        """Store rows ``(R, D)`` float32 under a key."""
        rows = rows.detach().cpu().contiguous().clone()
        buffer = io.BytesIO()
        torch.save(dict(rows=rows, sha256=_digest(rows, key)), buffer)
        try:
            write_whole_file(self.path(key), buffer.getvalue())
            self._remove_leftovers()
        except OSError as error:
            self._warn(f'is not written: {error}')

    def _remove_leftovers(self) -> None:
        """Remove temporary files of killed processes, but none that may still be in use."""
        for entry in list(os.scandir(self.folder)):
            if TEMPORARY.fullmatch(entry.name):
                path = Path(entry.path)
                try:
                    old = time.time() - path.stat().st_mtime > LEFTOVER_SECONDS
                except FileNotFoundError:  # another process has just renamed it
                    continue
                if old:
                    path.unlink(missing_ok=True)

    def _warn(self, problem: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"Text cache '{self.folder}' {problem}. Text embeddings are recomputed in each "
                'run, which is only slower.',
                LangSegWarning,
                stacklevel=3,
            )


def _text(key: dict) -> bytes:
    return json.dumps(key, sort_keys=True, default=dict).encode()


def _digest(rows: Tensor, key: dict) -> str:
    """Return the checksum of the rows and their key."""
    return hashlib.sha256(_text(key) + rows.numpy().tobytes()).hexdigest()


def _read(path: Path, key: dict) -> Tensor | None:
    """Return the rows of a cache file; None if they are not as written."""
    try:
        stored = read_checkpoint(path)
    except ValueError:
        return None
    rows = stored.get('rows') if isinstance(stored, dict) else None
    if not isinstance(rows, Tensor) or rows.dtype != torch.float32 or rows.ndim != 2:
        return None
    if stored.get('sha256') != _digest(rows.contiguous(), key) or not rows.isfinite().all():
        return None
    return rows
