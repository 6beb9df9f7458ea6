"""Reading and writing of superpixel region maps as PNG files."""

from __future__ import annotations

import io
import os

import cv2
import mmengine.fileio as fileio
import numpy as np
from PIL import Image

from mmseg_langseg.fileio import MaskFileError, check_size, raise_machine_fault, write_whole_file

_PNG_END = b'IEND\xaeB`\x82'
# Gray or palette, 8 or 16 bits; older Pillow opens 16 bits as int32.
_MODES = ('L', 'P', 'I;16', 'I')


def read_region_map(
    path: str | os.PathLike,
    image_size: tuple[int, int] | None = None,
    backend_args: dict | None = None,
) -> np.ndarray:
    """Read a region map from a gray or palette PNG with 8 or 16 bits.

    Args:
        path: File to read.
        image_size: Expected (height, width) of the map; ``None``: not compared.
        backend_args: MMEngine file backend.

    Returns:
        int32 (H, W); -1 (ignore) where the file has its largest value, 255 or 65535.

    Raises:
        MaskFileError: The file is missing, damaged, in another format, or of another size.
        OSError: Too many files are open or memory is exhausted, which is not this file's fault.
    """
    try:
        content = fileio.get(str(path), backend_args=backend_args)
    except (OSError, ValueError) as error:
        raise_machine_fault(error)
        raise MaskFileError(f'{path}: region map cannot be read or decoded ({error})') from error
    if _PNG_END not in content:
        raise MaskFileError(f'{path}: region map cannot be read or decoded (truncated PNG)')
    try:
        # Opening only reads the header.
        with Image.open(io.BytesIO(content), formats=('PNG',)) as image:
            _check_header(image, path, image_size)
            ids = np.asarray(image)
    except (MaskFileError, MemoryError):
        raise
    except Exception as error:  # A damaged PNG fails in many ways.
        raise MaskFileError(f'{path}: region map cannot be read or decoded ({error})') from error
    ignore = 255 if ids.dtype == np.uint8 else 65535
    return np.where(ids == ignore, -1, ids.astype(np.int32))


def _check_header(image: Image.Image, path: object, image_size: tuple[int, int] | None) -> None:
    if image.mode not in _MODES:
        raise MaskFileError(
            f'{path}: expected a region map with one channel of 8 or 16 bits, got a PNG with '
            f"Pillow's mode '{image.mode}'"
        )
    size = image.size[::-1]
    if image_size is not None and size != tuple(image_size):
        raise MaskFileError(
            f'{path}: region map has height x width {size[0]} x {size[1]}, the image '
            f'has {image_size[0]} x {image_size[1]}; were the images resized without their maps?'
        )
    check_size(*size)


def write_region_map(path: str | os.PathLike, regions: np.ndarray) -> None:
    """Write a region map as a 16-bit PNG, atomically.

    Args:
        path: File to write; its folder is created if needed.
        regions: (H, W) int, ids 0 ... 65534, or -1 (ignore), which is written as 65535.

    Raises:
        ValueError: See :func:`encode_region_map`; the message names the file.
        OSError: The file cannot be written; the message names it.
    """
    try:
        content = encode_region_map(regions)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    write_whole_file(path, content)


def encode_region_map(regions: np.ndarray) -> bytes:
    """Return the content of the 16-bit PNG of a region map.

    Args:
        regions: (H, W) int, ids 0 ... 65534, or -1 (ignore), which is stored as 65535.

    Raises:
        ValueError: The map has another shape, or an id that does not fit.
    """
    if regions.ndim != 2 or not np.issubdtype(regions.dtype, np.integer) or regions.size == 0:
        raise ValueError(
            f'expected a region map (H, W) of integers, got {regions.shape} {regions.dtype}'
        )
    if regions.min() < -1 or regions.max() > 65534:
        raise ValueError(
            f'region ids {regions.min()} to {regions.max()} do not fit a 16-bit PNG; '
            'expected -1 (ignore) to 65534'
        )
    ids = np.where(regions < 0, 65535, regions).astype(np.uint16)
    return cv2.imencode('.png', ids)[1].tobytes()
