"""Atomic file writes: files are written completely or not at all."""

from __future__ import annotations

import errno
import filecmp
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_TRIES = 10
_MAX_BYTES = 255
"""Maximum length of a file name on common file systems."""
_RANDOM_BYTES = len('.12345678.tmp')


def write_whole_file(path: str | os.PathLike, content: bytes, replace: bool = True) -> None:
    """Write a file atomically, under a temporary name in its folder that is then renamed.

    If the write is interrupted, the file has either its old or its new content. If several
    processes write the same file, the last one wins. Only a killed process leaves its temporary
    file behind, see :func:`remove_leftovers`.

    Args:
        path: File to write; its folder is created if needed.
        content: Content of the file.
        replace: False: do not touch a file that exists.

    Raises:
        FileExistsError: ``replace`` is off and the file exists.
        OSError: The disk is full, the folder is not writable, ...; the message names the file.
    """
    path = Path(path)
    for attempt in range(_TRIES):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content, replace)
            return
        except OSError as error:
            # Another process mistook our temporary file for a leftover.
            if isinstance(error, FileNotFoundError) and attempt < _TRIES - 1:
                continue
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextmanager
def open_whole_file(path: str | os.PathLike, replace: bool = True) -> Iterator[BinaryIO]:
    """Open a large file for an atomic write, like :func:`write_whole_file`.

    Nothing is written if the block raises an error.

    Args:
        path: File to write; its folder is created if needed.
        replace: False: keep a file that exists, which must have the same content.

    Yields:
        Binary file under a temporary name, which is renamed at the end of the block.

    Raises:
        FileExistsError: ``replace`` is off and the file exists with other content.
        OSError: The disk is full, the folder is not writable, ...; the message names the file.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _make_temporary(path)
        try:
            with os.fdopen(handle, 'wb') as file:
                yield file
            same = not replace and path.is_file() and filecmp.cmp(temporary, path, shallow=False)
            if not same:
                _move(temporary, path, replace)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        # Files that the block reads keep their names in messages.
        if error.filename is not None and not str(error.filename).endswith('.tmp'):
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def remove_leftovers(folder: str | os.PathLike, names: set[str]) -> None:
    """Remove the temporary files of killed processes.

    Args:
        folder: Folder that :func:`write_whole_file` wrote to.
        names: Names of the files whose leftovers are removed.
    """
    stems = {_temporary_stem(name) for name in names}
    for entry in list(os.scandir(folder)):
        if entry.name.endswith('.tmp') and entry.name.rsplit('.', 2)[0] in stems:
            Path(entry.path).unlink(missing_ok=True)


def _make_temporary(path: Path) -> tuple[int, str]:
    return tempfile.mkstemp(dir=path.parent, prefix=f'{_temporary_stem(path.name)}.', suffix='.tmp')


def _temporary_stem(name: str) -> str:
    """Return the beginning of temporary names, the file's name shortened to leave room."""
    stem = name
    while len(os.fsencode(stem)) > _MAX_BYTES - _RANDOM_BYTES:
        stem = stem[:-1]
    return stem


def _write(path: Path, content: bytes, replace: bool) -> None:
    handle, temporary = _make_temporary(path)
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(content)
        _move(temporary, path, replace)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _move(temporary: str, path: Path, replace: bool) -> None:
    # mkstemp's files are private; give the permissions that open() would have given.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(temporary, 0o666 & ~umask)
    if replace:
        os.replace(temporary, path)
    else:
        _link(temporary, path)


def _link(temporary: str, path: Path) -> None:
    """Rename the file unless the name is taken, atomically where the file system allows it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # Some network file systems have no hard links.
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.replace(temporary, path)
