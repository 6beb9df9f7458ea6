"""Detection of damaged files that this package wrote and may replace."""

from __future__ import annotations

import os
from pathlib import Path

_NPY = b"{'descr': '<f2', 'fortran_order': False, 'shape': ("


def may_replace(path: str | os.PathLike) -> bool:
    """Return whether a damaged file is empty or starts like the files of this package.

    A disk may lose part of a file. Any other file belongs to the user and must not be overwritten.

    Args:
        path: Existing mask file (.json), region map (.png) or feature file (.npy).

    Raises:
        OSError: The file cannot be read.
    """
    path = Path(path)
    with open(path, 'rb') as file:
        start = file.read(64)
    if path.suffix == '.json':
        return _begins(start, b'{"image": {"image_id": ')
    if path.suffix == '.npy':
        # The two bytes in between are the length of the header.
        return _begins(start, b'\x93NUMPY\x01\x00') and _begins(start[10:], _NPY)
    # 16 bits, gray.
    return _begins(start, b'\x89PNG\r\n\x1a\n') and _begins(start[24:], b'\x10\x00')


def _begins(start: bytes, expected: bytes) -> bool:
    """Return whether one is a prefix of the other."""
    return start[: len(expected)] == expected[: len(start)]
