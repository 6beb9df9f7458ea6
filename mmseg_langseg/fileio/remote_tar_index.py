"""Random access to the files of a tar in a remote storage."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from filelock import FileLock

from .remote_storage import file_system, request
from .tar_index import Arrays, TarIndex, is_hidden, read_index

_SCAN_BYTES = 2**23
# Names of the version of a file in the information of different storages.
_VERSIONS = ('ETag', 'etag', 'generation', 'mtime', 'LastModified', 'last_modified', 'created')


class RemoteTarIndex(TarIndex):
    """Index of the files in an uncompressed tar in a remote storage, for ranged reads.

    The index is cached in the folder ``tar_indexes`` of ``torch.hub.get_dir()``; if the size or
    version of the tar changes, it is rebuilt. If ``NAME.tar.index.npz``, the index of a
    :class:`TarIndex`, has been uploaded with the tar, it is copied. Otherwise the tar is read once,
    by a single process of the machine.

    Args:
        url: URL with a protocol of fsspec, e.g. ``s3://bucket/sa_000020.tar``.

    Raises:
        BadFileError: The file is not an uncompressed tar, is damaged, or is truncated.
        FileNotFoundError: There is no such file.
        ImportError: The protocol's package is not installed.
        StorageError: The storage cannot be read.
    """

    def __init__(self, url: str) -> None:
        self.path = url
        key = hashlib.sha256(url.encode()).hexdigest()[:32]
        self.cache_path = Path(torch.hub.get_dir(), 'tar_indexes', f'{key}.index.npz')
        self._prepare()

    def _read_range(self, start: int, end: int) -> bytes:
        if start == end:
            return b''
        return request(self.path, 'cat_file', self.path, start=start, end=end)

    def _open(self) -> BinaryIO:
        # A request for each header would take longer than to read the entries in large blocks.
        from .requested_file import RequestedFile  # Imports fsspec.

        size = int(self._stamp[0])
        return RequestedFile(file_system(self.path), self.path, block_size=_SCAN_BYTES, size=size)

    def _read_stamp(self) -> list[str]:
        found = request(self.path, 'info', self.path)
        return [str(found['size']), _version(found)]

    def _build(self) -> Arrays:
        folder = self.cache_path.parent
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
        with FileLock(folder / 'lock') if writable else nullcontext():
            # Another process may have built it in the meantime.
            return self._load() or self._copy() or super()._build()

    def _copy(self) -> Arrays | None:
        """Copy the index that was uploaded with the tar; ``None`` if there is none that fits."""
        try:
            content = request(self.path, 'cat_file', f'{self.path}.index.npz')
            stamp, index = read_index(io.BytesIO(content))
            if str(stamp[0]) != self._stamp[0] or not self._fits(*index):
                return None
        except Exception:  # The index is built from the tar, which reports what is wrong with it.
            return None
        self._save(index)
        return index

    def _fits(self, names: np.ndarray, offsets: np.ndarray, sizes: np.ndarray) -> bool:
        """Return whether an index is valid and its last entry is one of this tar."""
        known = [os.fsdecode(name) for name in names.tolist()]
        if not len(known) == len(offsets) == len(sizes) or any(map(is_hidden, known)):
            return False
        if not known:
            return True
        last = np.argmax(offsets)
        start = int(offsets[last])
        header = self._read_range(start - tarfile.BLOCKSIZE, start)
        entry = tarfile.TarInfo.frombuf(header, 'utf-8', 'surrogateescape')
        ends = offsets + sizes
        return entry.size == sizes[last] and offsets.min() > 0 and ends.max() <= int(self._stamp[0])


def _version(found: Mapping[str, Any]) -> str:
    return str(next((found[key] for key in _VERSIONS if found.get(key)), ''))
