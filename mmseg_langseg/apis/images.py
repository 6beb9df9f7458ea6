"""Convert image files, PIL images and arrays to RGB arrays."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmseg_langseg.fileio import ImageFileError, decode_image

EXPECTED = (
    'an image file, a PIL image, or a uint8 array (H, W, 3) in RGB, (H, W) or (H, W, 1) in gray, '
    'or (H, W, 4) in RGBA'
)
_EIGHT_BIT_MODES = {
    '1', 'L', 'LA', 'La', 'P', 'PA', 'RGB', 'RGBA', 'RGBa', 'RGBX', 'CMYK', 'YCbCr', 'HSV',
}  # fmt: skip


def to_rgb(image: str | os.PathLike | np.ndarray | Image.Image) -> np.ndarray:
    """Convert an image file, PIL image or array to RGB; reject ambiguous input.

    Transparency is ignored, as in MMSegmentation's image loader: transparent pixels get their
    stored color. A PIL image is read as by ``numpy.asarray`` (the EXIF orientation is applied to
    files only).

    Args:
        image: File path; PIL image with 8 bits per channel; or uint8 array ``(H, W)`` or
            ``(H, W, 1)`` (gray), ``(H, W, 3)`` (RGB), or ``(H, W, 4)`` (RGBA).

    Returns:
        ``(H, W, 3)`` uint8, C-contiguous.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: The path names a folder.
        TypeError: The input is not an image, e.g. a list or a tensor.
        ValueError: The image is empty, has values of unknown range (float, 16-bit, bool arrays), or
            cannot be decoded.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(image)
    if isinstance(image, Image.Image):
        return _from_pil(image)
    if isinstance(image, np.ndarray):
        return _from_array(image)
    raise TypeError(f'image is {_described(image)}; expected {EXPECTED}.{_advice(image)}')


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read an image file as RGB, with the same pixels as MMSegmentation's ``LoadImageFromFile``.

    The EXIF orientation is applied, 16-bit channels are scaled to 8 bits, transparency is ignored,
    and the first frame of an animation is used.

    Args:
        path: Image file.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: The path names a folder.
        ValueError: The file is not a complete image, has floating-point or 32-bit pixels, or is so
            large that Pillow rejects it as a decompression bomb (``PIL.Image.MAX_IMAGE_PIXELS``).
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"The image '{path}' is a folder; give one image file in it.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no image file '{path}'.")
    return decode_rgb(path.read_bytes(), path)


def decode_rgb(content: bytes, name: object) -> np.ndarray:
    """Decode the content of an image file, see :func:`read_image`.

    Args:
        content: Content of the file.
        name: File name for the error message.

    Raises:
        ValueError: See :func:`read_image`.
    """
    try:
        _check_header(content)
        return decode_image(content, 'rgb')
    except ImageFileError as error:
        raise ValueError(
            f"'{name}' cannot be decoded as an image ({error}); expected a complete image file, "
            'e.g. JPEG or PNG, with 8 or 16 bits per channel.'
        ) from error


def _check_header(content: bytes) -> None:
    """Reject decompression bombs and pixels without a defined range."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            with Image.open(io.BytesIO(content)) as image:
                if image.mode in _EIGHT_BIT_MODES:
                    return
        except Image.DecompressionBombError as error:
            raise ImageFileError(
                f'{error} To read it anyway, raise PIL.Image.MAX_IMAGE_PIXELS'
            ) from error
        # OpenCV reads some formats that Pillow does not.
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
            pass
    if not content:
        return
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return
    if pixels is not None and pixels.dtype not in (np.uint8, np.uint16):
        raise ImageFileError(
            f'its pixels are {pixels.dtype}, whose range is unknown: save it with 8 bits per '
            'channel'
        )


def _from_pil(image: Image.Image) -> np.ndarray:
    name = f"The PIL image{_file_of(image)} of mode '{image.mode}'"
    if image.mode not in _EIGHT_BIT_MODES:
        raise ValueError(
            f'{name} has values whose range is unknown; expected 8 bits per channel. Scale it to '
            "0..255 and convert it, e.g. image.point(lambda value: value / 256, 'L') for 16 bits."
        )
    if 0 in image.size:
        raise ValueError(f'{name} is empty: its size is {image.size}.')
    try:
        if image.mode == 'La':
            image = image.convert('LA')
        # Pillow keeps the color of transparent pixels only when converting via RGBA.
        if image.mode in ('LA', 'PA', 'RGBA', 'RGBa') or 'transparency' in image.info:
            image = image.convert('RGBA')
        return np.array(image.convert('RGB'))
    except (OSError, SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f'{name} cannot be decoded ({error}).') from error


def _file_of(image: Image.Image) -> str:
    file = getattr(image, 'filename', '')
    return f" '{file}'" if file else ''


def _from_array(array: np.ndarray) -> np.ndarray:
    shape = array.shape
    if array.dtype != np.uint8:
        raise ValueError(
            f'image is {_described(array)}; expected uint8 with values from 0 to 255. '
            f'{_range_advice(array)}'
        )
    channels = shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or (array.size and channels not in (1, 3, 4)):
        raise ValueError(
            f'image is {_described(array)}; expected {EXPECTED}.{_shape_advice(shape)}'
        )
    if not array.size:
        raise ValueError(f'image is {_described(array)}: it has no pixels.')
    array = np.asarray(array).reshape(*shape[:2], channels)
    if channels == 1:
        return np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array[..., :3])


def _described(image: object) -> str:
    if isinstance(image, np.ndarray):
        return f'an array of shape {image.shape} and type {image.dtype}'
    kind = type(image)
    module = '' if kind.__module__ == 'builtins' else f'{kind.__module__}.'
    return f'of type {module}{kind.__qualname__}'


def _advice(image: object) -> str:
    if isinstance(image, (list, tuple)):
        return ' Images are segmented one at a time: call it once per image.'
    if isinstance(image, (bytes, bytearray, memoryview, io.IOBase)):
        return ' Decode it first: PIL.Image.open(io.BytesIO(content)).'
    if hasattr(image, 'numpy'):
        return (
            ' Convert the tensor: scaled to 0..255, as uint8, with the channels last, '
            'e.g. tensor.permute(1, 2, 0).cpu().numpy().'
        )
    return ''


def _range_advice(array: np.ndarray) -> str:
    if array.dtype.kind == 'f':
        return 'For values from 0 to 1: (image * 255).round().astype("uint8").'
    if array.dtype == np.uint16:
        return 'For values up to 65535: (image // 256).astype("uint8").'
    if array.dtype == np.bool_:
        return 'For a black-and-white image: image.astype("uint8") * 255.'
    return 'For values from 0 to 255: image.astype("uint8").'


def _shape_advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return ' Put the channels last: image.transpose(1, 2, 0).'
    if len(shape) == 4:
        return ' Images are segmented one at a time: call it once per image.'
    return ''
