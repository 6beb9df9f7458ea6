"""Protection against path traversal."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath


def contained_path(root: str | os.PathLike, name: str, source: object = 'file name') -> Path:
    """Join a folder and an untrusted file name, refusing path traversal.

    Args:
        root: Folder that the result must be in.
        name: Relative path with forward slashes, e.g. ``file_name`` of a COCO file.
        source: Origin of the name for error messages, such as the file that contains it.

    Returns:
        ``root / name``.

    Raises:
        ValueError: The name is empty, absolute (on any system), contains a NUL or a backslash, or
            leaves the folder with ``..``.
    """
    path = PurePosixPath(name)
    drive = PureWindowsPath(name).drive
    outside = path.is_absolute() or drive or '..' in path.parts
    if not path.name or '\0' in name or '\\' in name or outside:
        detail = ", a drive such as 'C:', and backslashes" if drive or '\\' in name else ''
        raise ValueError(
            f"{source}: {name!r} does not name a file inside '{root}'; expected a relative path "
            f"without '..'{detail}"
        )
    return Path(root) / path
