"""Region maps as PNG files."""

from __future__ import annotations

import os

import cv2
import mmcv
import mmengine.fileio as fileio
import numpy as np

from .errors import MaskFileError
from .whole_file import write_whole_file

_PNG_END = b'IEND\xaeB`\x82'


def read_region_map(
    path: str | os.PathLike,
    image_size: tuple[int, int] | None = None,
    backend_args: dict | None = None,
) -> np.ndarray:
    """Read a region map from a grey or palette PNG of 8 or 16 bits.

    Args:
        path: File to read.
        image_size: (height, width) of the image the map must belong to; ``None``: not compared.
        backend_args: File backend of mmengine.

    Returns:
        int32 (H, W); -1 (ignore) where the file holds its largest number, 255 or 65535.

    Raises:
        MaskFileError: The file is missing, damaged, of another kind or of another image size.
    """
    try:
        content = fileio.get(str(path), backend_args=backend_args)
        ids = mmcv.imfrombytes(content, flag='unchanged', backend='pillow')
    except (OSError, ValueError, SyntaxError) as error:
        raise MaskFileError(f'{path}: region map cannot be read or decoded ({error})') from error
    if _PNG_END not in content:
        raise MaskFileError(f'{path}: region map cannot be read or decoded (no end of a PNG)')
    # Older Pillow opens 16 bits as int32.
    if ids.ndim != 2 or ids.dtype not in (np.uint8, np.uint16, np.int32):
        raise MaskFileError(
            f'{path}: expected a region map with one channel of 8 or 16 bits, got shape '
            f'{ids.shape} of {ids.dtype}'
        )
    if image_size is not None and ids.shape != tuple(image_size):
        raise MaskFileError(
            f'{path}: region map has height x width {ids.shape[0]} x {ids.shape[1]}, the image '
            f'has {image_size[0]} x {image_size[1]}; were the images resized without their maps?'
        )
    ignore = 255 if ids.dtype == np.uint8 else 65535
    return np.where(ids == ignore, -1, ids.astype(np.int32))


def write_region_map(path: str | os.PathLike, regions: np.ndarray) -> None:
    """Write a region map as a 16-bit PNG; complete or not at all.

    Args:
        path: File to write; its folder is made if needed.
        regions: (H, W) int, ids 0 ... 65534, or -1 (ignore), which is written as 65535.

    Raises:
        ValueError: The map has another shape, or an id that does not fit.
        OSError: The file cannot be written; names it.
    """
    if regions.ndim != 2 or not np.issubdtype(regions.dtype, np.integer) or regions.size == 0:
        raise ValueError(
            f'{path}: expected a region map (H, W) of integers, got {regions.shape} {regions.dtype}'
        )
    if regions.min() < -1 or regions.max() > 65534:
        raise ValueError(
            f'{path}: region ids {regions.min()} to {regions.max()} do not fit a 16-bit PNG; '
            'expected -1 (ignore) to 65534'
        )
    ids = np.where(regions < 0, 65535, regions).astype(np.uint16)
    write_whole_file(path, cv2.imencode('.png', ids)[1].tobytes())
