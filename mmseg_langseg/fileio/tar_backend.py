"""MMEngine file backend for tar archives."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from mmengine.fileio import BaseStorageBackend, register_backend

from .tar_index import TarIndex

_PREFIX = 'tar://'


@register_backend('tar', prefixes='tar')
class TarBackend(BaseStorageBackend):
    """MMEngine file backend that reads files from uncompressed tars as if they were folders.

    ``tar://data/sa1b/sa_000020.tar/sa_223750.jpg`` is an entry of the tar ``sa_000020.tar``; files
    next to the tars can be read as well. Setting ``data_root='tar://data/sa1b'`` of a dataset is
    enough: MMEngine chooses the backend by the prefix. See :class:`TarIndex` for the index.
    """

    def __init__(self) -> None:
        self._indexes: dict[str, TarIndex] = {}

    def get(self, filepath: str | Path) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: There is no such file, or it cannot be read.
        """
        tar, name = self._split(str(filepath))
        return self._read_file(name) if tar is None else self._index(tar).read(name)

    def get_text(self, filepath: str | Path, encoding: str = 'utf-8') -> str:
        """Return the content of a text file."""
        return self.get(filepath).decode(encoding)

    def isdir(self, filepath: str | Path) -> bool:
        """Return whether the path is a folder, a tar, or a folder within a tar."""
        tar, name = self._split(str(filepath))
        if tar is None:
            return self._is_folder(name)
        return not name or any(other.startswith(f'{name}/') for other in self._index(tar).names)

    def isfile(self, filepath: str | Path) -> bool:
        """Return whether the path is a file, but not a tar."""
        tar, name = self._split(str(filepath))
        return self._is_file(name) if tar is None else name in self._index(tar)

    def exists(self, filepath: str | Path) -> bool:
        """Return whether the file or folder exists."""
        return self.isfile(filepath) or self.isdir(filepath)

    def join_path(self, filepath: str | Path, *filepaths: str | Path) -> str:
        """Join path components."""
        return os.path.join(filepath, *filepaths)

    def list_dir_or_file(
        self,
        dir_path: str | Path,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """List files below a folder, a tar, or a folder within a tar.

        Args:
            dir_path: Folder.
            list_dir: Must be ``False``.
            list_file: Must be ``True``.
            suffix: Suffixes of the files to list.
            recursive: Must be ``True``.

        Yields:
            Paths relative to the folder; hidden files are left out.

        Raises:
            NotImplementedError: The arguments request anything but a recursive list of files.
            OSError: A folder or tar cannot be read.
            BadFileError: A tar is damaged.
        """
        if list_dir or not list_file or not recursive:
            raise NotImplementedError('tar:// can only list files recursively, without folders')
        tar, name = self._split(str(dir_path))
        names = self._walk(name) if tar is None else self._below(tar, name)
        for found in names:
            if suffix is None or found.endswith(suffix):
                yield found

    def tar_of(self, filepath: str | Path) -> str | None:
        """Return the tar that a path is in, ``None`` if it is in none."""
        return self._split(str(filepath))[0]

    def stored_order(self, filepaths: Sequence[str]) -> np.ndarray:
        """Return the order in which files are stored in their common tar.

        Args:
            filepaths: N paths of files in one tar.

        Returns:
            int64 (N,), positions in ``filepaths``.
        """
        tar, _ = self._split(filepaths[0])
        return self._index(tar).stored_order([self._split(path)[1] for path in filepaths])

    def _read_file(self, path: str) -> bytes:
        with open(path, 'rb') as file:
            return file.read()

    def _is_file(self, path: str) -> bool:
        return os.path.isfile(path)

    def _is_folder(self, path: str) -> bool:
        return os.path.isdir(path)

    def _clean(self, path: str) -> str:
        """Return a path without the prefix, as the keys of ``_indexes`` are."""
        return os.path.normpath(path.removeprefix(_PREFIX))

    def _walk(self, root: str) -> Iterator[str]:
        def stop(error: OSError) -> None:
            raise error

        for folder, subfolders, files in os.walk(root, onerror=stop, followlinks=True):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith('.'))
            for name in sorted(name for name in files if not name.startswith('.')):
                path = os.path.join(folder, name)
                below = os.path.relpath(path, root)
                if name.endswith('.tar'):
                    yield from (f'{below}/{inner}' for inner in self._listed(path).names)
                else:
                    yield below

    def _below(self, tar: str, folder: str) -> Iterator[str]:
        start = f'{folder}/' if folder else ''
        for name in self._listed(tar).names:
            if name.startswith(start):
                yield name[len(start) :]

    def _split(self, path: str) -> tuple[str | None, str]:
        """Split a path into a tar and the name in it, or into ``None`` and the path itself."""
        path = self._clean(path)
        parts = path.split(os.sep)
        for i, part in enumerate(parts):
            tar = os.sep.join(parts[: i + 1])
            if part.endswith('.tar') and (tar in self._indexes or self._is_file(tar)):
                return tar, '/'.join(parts[i + 1 :])
        return None, path

    def _listed(self, tar: str) -> TarIndex:
        """Return the index, rebuilt if the tar has changed; plain reads skip this check."""
        tar = self._clean(tar)
        if tar in self._indexes and not self._indexes[tar].is_current():
            del self._indexes[tar]
        return self._index(tar)

    def _index(self, tar: str) -> TarIndex:
        if tar not in self._indexes:
            self._indexes[tar] = self._open_index(tar)
        return self._indexes[tar]

    def _open_index(self, tar: str) -> TarIndex:
        return TarIndex(tar)
