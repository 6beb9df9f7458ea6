"""Fast image size and integrity checks, without decoding JPEG and PNG files."""

from __future__ import annotations

import io

import mmengine.fileio as fileio
from PIL import ExifTags, Image, UnidentifiedImageError

from mmseg_langseg.fileio import ImageFileError, decode_image

# EXIF orientations that swap height and width.
_SWAPPED = (5, 6, 7, 8)


def image_size(path: str, backend_args: dict | None = None) -> tuple[int, int]:
    """Return the height and width of an image as a pipeline loads it, with EXIF rotation.

    Args:
        path: Image file.
        backend_args: MMEngine file backend.

    Raises:
        ImageFileError: The file is missing, empty, not an image, truncated, or has more pixels
            than Pillow allows (179 million).
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
    except Exception as error:  # Pillow raises a dozen types for damaged or huge files
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
        pass  # a format that only OpenCV supports, such as TIFF with 16-bit colors
    # Rare formats: Pillow does not tell whether they are complete or how OpenCV rotates them.
    return decode_image(content).shape[:2]


def _check_end(content: bytes) -> None:
    """Check that the end marker follows a JPEG's last scan; OpenCV fills missing data silently."""
    if content.rfind(b'\xff\xd9') < content.rfind(b'\xff\xda'):
        raise ImageFileError('the JPEG is truncated')
