"""Pixel index map for tracking geometric transforms."""

import numpy as np


def pixel_index_map(height: int, width: int) -> np.ndarray:
    """Create a map of pixel indices, numbered row by row.

    As a pipeline's ``gt_seg_map``, the map passes Resize, RandomCrop and RandomFlip like a label
    map. Its final values are the original positions of the pixels, at which any number of masks
    can be looked up without transforming the masks themselves.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        int32 array (height, width) with ``value = row * width + column``.

    Raises:
        ValueError: If a side is not positive.
    """
    if height < 1 or width < 1:
        raise ValueError(
            f'image sides must be at least 1 pixel, got height={height}, width={width}'
        )
    return np.arange(height * width, dtype=np.int32).reshape(height, width)
