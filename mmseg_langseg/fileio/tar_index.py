"""Random access to the files of a tar without unpacking it."""

from __future__ import annotations

import bisect
import io
import logging
import os
import posixpath
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from mmengine.logging import print_log

from .errors import BadFileError
from .whole_file import remove_leftovers, write_whole_file

_BLOCK = 512

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Sorted names, offsets and sizes of the entries of a tar."""


class TarIndex:
    """Index of the files in an uncompressed tar, for random access.

    The index is built once from the headers of the tar and cached next to it as
    ``NAME.tar.index.npz``; if the tar changes, it is rebuilt. If the cache cannot be written,
    each process builds its own index. Of entries with the same name the last one counts, as in
    unpacking. Links, sparse and hidden files, and names that lead out of the folder are left out.

    Args:
        path: The tar.

    Raises:
        BadFileError: The file is not an uncompressed tar, is damaged, or is truncated.
        OSError: The file cannot be read.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.cache_path = self.path.with_name(f'{self.path.name}.index.npz')
        self._prepare()

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def is_current(self) -> bool:
        """Return whether the tar is unchanged since the index was built."""
        return self._read_stamp() == self._stamp

    @property
    def names(self) -> list[str]:
        """Names of the files, sorted, with forward slashes and without a leading './'."""
        return [os.fsdecode(name) for name in self._names.tolist()]

    def place(self, name: str) -> tuple[int, int]:
        """Return where the content of a file starts in the tar and ends, in bytes.

        Raises:
            FileNotFoundError: The tar has no such file.
        """
        position = self._find(name)
        if position is None:
            raise FileNotFoundError(f"'{self.path}' contains no '{name}'")
        start = int(self._offsets[position])
        return start, start + int(self._sizes[position])

    def stored_order(self, names: Sequence[str]) -> np.ndarray:
        """Return the order in which files are stored.

        Args:
            names: N names of files; those that the tar lacks come first.

        Returns:
            int64 (N,), positions in ``names``.
        """
        encoded = np.array([os.fsencode(name) for name in names], dtype=np.bytes_)
        found = np.searchsorted(self._names, encoded)
        present = np.append(self._names, b'')[found] == encoded
        offsets = np.where(present, np.append(self._offsets, 0)[found], -1)
        return np.argsort(offsets, kind='stable')

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        The tar is opened and closed for each read, so worker processes share no file handle.

        Raises:
            FileNotFoundError: The tar has no such file.
            OSError: The tar cannot be read, or is shorter than its index says.
        """
        start, end = self.place(name)
        content = self._read_range(start, end)
        if len(content) != end - start:
            raise OSError(f"'{self.path}' ends within '{name}'; was it changed in the meantime?")
        return content

    def _read_range(self, start: int, end: int) -> bytes:
        with open(self.path, 'rb', buffering=0) as file:
            file.seek(start)
            return file.read(end - start)

    def _open(self) -> BinaryIO:
        return open(self.path, 'rb')

    def _read_stamp(self) -> list[int]:
        stat = self.path.stat()
        return [stat.st_size, stat.st_mtime_ns]

    def _prepare(self) -> None:
        self._stamp = self._read_stamp()
        index = self._load()
        # Forked workers share arrays but not objects, and SA-1B has millions of names.
        self._names, self._offsets, self._sizes = self._build() if index is None else index

    def _build(self) -> Arrays:
        index = self._scan()
        self._save(index)
        return index

    def _find(self, name: str) -> int | None:
        wanted = os.fsencode(name)
        position = bisect.bisect_left(self._names, wanted)
        found = position < len(self._names) and self._names[position] == wanted
        return position if found else None

    def _scan(self) -> Arrays:
        members = {}
        with self._open() as file:
            try:
                with tarfile.open(fileobj=file, mode='r:') as archive:
                    for entry in archive:
                        name = posixpath.normpath(entry.name)
                        if entry.isreg() and not entry.issparse() and not is_hidden(name):
                            members[name] = (entry.offset_data, entry.size)
                    end = archive.offset
            except tarfile.TarError as error:
                raise BadFileError(
                    f"'{self.path}' is not an uncompressed tar, or is damaged ({error})"
                ) from error
            # tarfile mistakes a truncated or broken header between entries for the end.
            file.seek(end)
            marker = file.read(_BLOCK)
        if marker != bytes(_BLOCK):
            raise BadFileError(
                f"'{self.path}' is truncated or damaged after {len(members)} files: the end "
                'marker is missing'
            )
        names = sorted(members, key=os.fsencode)
        places = np.array([members[name] for name in names], dtype=np.int64).reshape(-1, 2)
        encoded = np.array([os.fsencode(name) for name in names], dtype=np.bytes_)
        return encoded, places[:, 0].copy(), places[:, 1].copy()

    def _load(self) -> Arrays | None:
        """Load the cached index; ``None`` if there is none that matches the tar."""
        try:
            stamp, index = read_index(self.cache_path)
        except Exception:  # A damaged file fails in many ways; the index is rebuilt.
            return None
        return index if stamp == self._stamp else None

    def _save(self, index: Arrays) -> None:
        content = io.BytesIO()
        names, offsets, sizes = index
        stamp = np.array(self._stamp)
        np.savez(content, stamp=stamp, names=names, offsets=offsets, sizes=sizes)
        try:
            remove_leftovers(self.cache_path.parent, {self.cache_path.name})
            write_whole_file(self.cache_path, content.getvalue())
        except OSError as error:
            print_log(
                f"cannot cache the index of '{self.path}'; each process builds its own: {error}",
                logger='current',
                level=logging.WARNING,
            )


def read_index(file: Path | BinaryIO) -> tuple[list, Arrays]:
    """Read a cached index: the stamp of its tar, and names, offsets and sizes of the entries."""
    with np.load(file, allow_pickle=False) as kept:
        return kept['stamp'].tolist(), (kept['names'], kept['offsets'], kept['sizes'])


def is_hidden(name: str) -> bool:
    """Return whether an entry is left out: hidden, or outside the folder ('..' is hidden too)."""
    return name.startswith('/') or any(part.startswith('.') for part in name.split('/'))
