"""Maximum size of images, masks and region maps (protection against decompression bombs)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from .json_data import show_value

MAX_PIXELS = 178_956_970
"""Maximum pixels per image or mask, Pillow's limit for suspected decompression bombs."""


def check_size(height: Any, width: Any) -> tuple[int, int]:
    """Check the height and width of an image or mask as given in a file.

    Returns:
        (height, width).

    Raises:
        ValueError: A side is not a positive integer, or there are more than :data:`MAX_PIXELS`.
    """
    shown = f'height x width is {show_value(height, 30)} x {show_value(width, 30)}'
    if not all(_is_integer(side) and side > 0 for side in (height, width)):
        raise ValueError(f'{shown}, expected positive integers')
    height, width = int(height), int(width)
    if height * width > MAX_PIXELS:
        raise ValueError(f'{shown}, expected at most {MAX_PIXELS} pixels')
    return height, width


def check_encoded_size(content: bytes) -> None:
    """Check the image size in the header of an image file before decoding it.

    A file of a few kilobytes may decode to many gigabytes.

    Raises:
        ValueError: The image has more than :data:`MAX_PIXELS` pixels.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise ValueError(f'the image is too large ({error})') from error
    except MemoryError:
        raise
    except Exception:  # A damaged header fails in many ways; the decoder reports it.
        return
    if height > 0 and width > 0:
        check_size(height, width)


def _is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
