"""Text embeddings on disk."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor


class EmbeddingCache:
    """One small file for each key; several processes may read and write at once.

    Args:
        folder: Where the files are; made when first needed.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder).expanduser()

    def path(self, key: dict) -> Path:
        """File of a key."""
        text = json.dumps(key, sort_keys=True, default=dict)
        return self.folder / f'{hashlib.sha256(text.encode()).hexdigest()[:32]}.pt'

    def get(self, key: dict, shape: tuple[int, int]) -> Tensor | None:
        """What was put, on the CPU; None if there is nothing, or if it cannot be used."""
        path = self.path(key)
        if not path.is_file():
            return None
        try:
            rows = torch.load(path, map_location='cpu', weights_only=True)
        except Exception as error:  # torch has many classes for a broken file
            warnings.warn(
                f"Broken text cache file '{path}' is rebuilt ({type(error).__name__}).",
                stacklevel=2,
            )
            return None
        usable = isinstance(rows, Tensor) and rows.shape == shape and rows.dtype == torch.float32
        if not usable or not torch.isfinite(rows).all():
            warnings.warn(f"Text cache file '{path}' holds something else: rebuilt.", stacklevel=2)
            return None
        return rows

    def put(self, key: dict, rows: Tensor) -> None:
        """Stores rows under a key; a folder that cannot be written to only gives a warning."""
        path = self.path(key)
        temporary = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.folder, suffix='.tmp')
            os.close(handle)
            torch.save(rows.cpu().clone(), temporary)
            os.replace(temporary, path)
        except OSError as error:
            warnings.warn(f"Text cache '{self.folder}' is not written: {error}.", stacklevel=2)
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
