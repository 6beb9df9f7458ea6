"""Cheap checks of image files: JPEGs and PNGs are not decoded."""

from __future__ import annotations

import io

import mmengine.fileio as fileio
from PIL import ExifTags, Image, UnidentifiedImageError

from mmseg_langseg.fileio import ImageFileError, decode_image

# Orientations of EXIF that swap height and width.
_SWAPPED = (5, 6, 7, 8)


def image_size(path: str, backend_args: dict | None = None) -> tuple[int, int]:
    """Height and width of an image as a pipeline loads it, turned as its EXIF data say.

    Args:
        path: Image file.
        backend_args: File backend of mmengine.

    Raises:
        ImageFileError: The file is missing, empty, no image, cut off, or has more pixels than
            Pillow takes for harmless (179 million).
    """
    try:
        content = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError as error:
        raise ImageFileError(f'{path}: this image does not exist') from error
    if not content:
        raise ImageFileError(f'{path}: the image file is empty')
    try:
        return _size(content)
    except ImageFileError as error:
        raise ImageFileError(f'{path}: {error}') from error
    except Exception as error:  # Pillow has a dozen kinds for a damaged file or a huge one
        raise ImageFileError(
            f'{path}: image cannot be read ({type(error).__name__}: {error})'
        ) from error


def _size(content: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if image.format == 'PNG' and b'eXIf' not in content:
                image.verify()
                return height, width
            if content.startswith(b'\xff\xd8'):
                _check_end(content)
                turned = image.getexif().get(ExifTags.Base.Orientation) in _SWAPPED
                return (width, height) if turned else (height, width)
    except UnidentifiedImageError:
        pass  # a kind that OpenCV alone knows, such as a TIFF of 16-bit colors
    # Rare kinds, of which Pillow does not tell whether they are whole or how OpenCV turns them.
    return decode_image(content).shape[:2]


def _check_end(content: bytes) -> None:
    """A JPEG's last scan is followed by the end marker; OpenCV fills up what is missing."""
    if content.rfind(b'\xff\xd9') < content.rfind(b'\xff\xda'):
        raise ImageFileError('the JPEG is cut off')
