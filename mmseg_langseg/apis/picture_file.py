"""Save pictures without overwriting files that this package did not write."""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from mmseg_langseg.fileio import write_whole_file

SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')
_SOFTWARE = 0x0131  # the EXIF tag of the program that wrote a file
_NAME = 'mmseg_langseg'


def check_picture_path(path: str | os.PathLike) -> None:
    """Check, before any work is done, that a picture can be written.

    Args:
        path: File that :func:`save_picture` will write. It may replace an earlier picture of this
            package, but no other file.

    Raises:
        FileExistsError: The file exists and was not written by :func:`save_picture`.
        IsADirectoryError: The path names a folder.
        PermissionError: The folder cannot be written to.
        ValueError: The suffix is not one of a supported image format.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"The output '{path}' is a folder; give a file name in it.")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"The output '{path}' must end in one of {', '.join(SUFFIXES)}, which sets its format."
        )
    if os.path.lexists(path) and not _is_ours(path):
        raise FileExistsError(
            f"The output '{path}' exists and is not a picture by mmseg_langseg: nothing was "
            'written; give another path.'
        )
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"The output '{path}' cannot be written: no access to '{folder}'.")


def save_picture(picture: Image.Image, path: str | os.PathLike) -> None:
    """Write a picture atomically, marked as one of this package.

    Args:
        picture: RGB image.
        path: Output file; its suffix sets the format, and its folder is created if needed.

    Raises:
        OSError: The disk is full, the folder not writable, ...; the message names the file.
        ValueError: See :func:`check_picture_path`, which is called first.
    """
    check_picture_path(path)
    exif = Image.Exif()
    exif[_SOFTWARE] = _NAME
    content = io.BytesIO()
    kind = Image.registered_extensions()[Path(path).suffix.lower()]
    picture.save(content, format=kind, exif=exif)
    write_whole_file(path, content.getvalue())


def _is_ours(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            return picture.getexif().get(_SOFTWARE) == _NAME
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
