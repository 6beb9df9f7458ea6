"""Read an uploaded photo, within limits."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_langseg.apis.images import decode_rgb

MAX_MEGAPIXELS = 25
"""Maximum size of a photo."""
MAX_MEGABYTES = 100
"""Maximum size of an uploaded file."""


def read_photo(path: str | os.PathLike, name: str) -> np.ndarray:
    """Read an uploaded photo with the pixels that ``LangSegInferencer`` reads from its file.

    Args:
        path: The uploaded file.
        name: Name of the file on the user's machine, for error messages.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        ValueError: The photo has more than :data:`MAX_MEGAPIXELS`, or the file is not an image.
    """
    try:
        # Reads the header only; OpenCV reads some formats that Pillow does not.
        with Image.open(path) as image:
            _check_size(image.size, name)
    except Image.DecompressionBombError as error:
        raise ValueError(f'{name!r} is too large: {error}') from error
    except (OSError, SyntaxError):
        pass
    image = decode_rgb(Path(path).read_bytes(), name)
    _check_size(image.shape[1::-1], name)
    return image


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_MEGAPIXELS * 10**6:
        raise ValueError(
            f'{name!r} has {width}x{height} pixels; expected at most {MAX_MEGAPIXELS} megapixels. '
            'Reduce it, or use "langseg segment".'
        )
