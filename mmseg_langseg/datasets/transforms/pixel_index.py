"""Map of pixel numbers that carries an image's geometry through the toolbox's transforms."""

import numpy as np


def pixel_index_map(height: int, width: int) -> np.ndarray:
    """Number the pixels of an image row by row.

    Put in a pipeline's ``gt_seg_map``, the map goes through Resize, RandomCrop and RandomFlip like
    a label map. At the end every pixel still says where it came from, so that any number of masks
    can be looked up without having been carried along.

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
