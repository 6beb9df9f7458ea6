"""Which damaged files may be made again."""

from __future__ import annotations

import os
from pathlib import Path

_NPY = b"{'descr': '<f2', 'fortran_order': False, 'shape': ("


def may_replace(path: str | os.PathLike) -> bool:
    """Whether a file that cannot be used is empty or begins as those of this package do.

    A disk may lose a part of a file. Anything else is somebody's, and not to be overwritten.

    Args:
        path: A file that exists: mask file (.json), region map (.png) or features (.npy).

    Raises:
        OSError: It cannot be read.
    """
    path = Path(path)
    with open(path, 'rb') as file:
        start = file.read(64)
    if path.suffix == '.json':
        return _begins(start, b'{"image": {"image_id": ')
    if path.suffix == '.npy':
        # Between them is the length of the header.
        return _begins(start, b'\x93NUMPY\x01\x00') and _begins(start[10:], _NPY)
    # 16 bits, gray.
    return _begins(start, b'\x89PNG\r\n\x1a\n') and _begins(start[24:], b'\x10\x00')


def _begins(start: bytes, expected: bytes) -> bool:
    """Whether one is the beginning of the other."""
    return start[: len(expected)] == expected[: len(start)]
