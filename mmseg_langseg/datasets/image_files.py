"""Cheap checks of image files: no pixel is decoded where the header says enough."""

from __future__ import annotations

import io

import mmengine.fileio as fileio
from PIL import ExifTags, Image, UnidentifiedImageError

from mmseg_langseg.masks import ImageFileError, decode_image

# Orientations of EXIF that swap height and width.
_SWAPPED = (5, 6, 7, 8)


def image_size(path: str, backend_args: dict | None = None) -> tuple[int, int]:
    """Height and width of an image as a pipeline loads it, turned as its EXIF data say.

    Args:
        path: Image file.
        backend_args: File backend of mmengine.

    Raises:
        ImageFileError: The file is missing, empty, no image, has too many pixels to be one, or is
            a JPEG or PNG that was cut off.
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
        raise ImageFileError(f'{path}: image cannot be read ({error})') from error


def _size(content: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if image.format == 'PNG':
                image.verify()
                # OpenCV's versions differ in whether they turn a PNG.
                return decode_image(content).shape[:2] if b'eXIf' in content else (height, width)
            orientation = image.getexif().get(ExifTags.Base.Orientation)
    except UnidentifiedImageError:
        return decode_image(content).shape[:2]  # a kind that OpenCV alone knows, such as 16-bit RGB
    if not content.startswith(b'\xff\xd8'):
        return decode_image(content).shape[:2] if orientation in _SWAPPED else (height, width)
    # A JPEG's last scan is followed by the end marker; OpenCV fills up what is missing.
    if content.rfind(b'\xff\xd9') < content.rfind(b'\xff\xda'):
        raise ImageFileError('the JPEG is cut off')
    return (width, height) if orientation in _SWAPPED else (height, width)
