"""Paths that stay inside their folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath


def contained_path(root: str | os.PathLike, name: str, source: object = 'file name') -> Path:
    """Join a folder and a file name that comes from a file.

    Args:
        root: Folder that the result must be in.
        name: Relative path with forward slashes, e.g. ``file_name`` of a COCO file.
        source: What the error calls the origin of the name, such as the file that holds it.

    Returns:
        ``root / name``.

    Raises:
        ValueError: The name is empty, absolute, has a NUL, or leaves the folder with ``..``.
    """
    path = PurePosixPath(name)
    outside = path.is_absolute() or PureWindowsPath(name).drive or '..' in path.parts
    if not path.name or '\0' in name or '\\' in name or outside:
        raise ValueError(
            f"{source}: {name!r} does not name a file inside '{root}'; expected a relative path "
            "without '..'"
        )
    return Path(root) / path
