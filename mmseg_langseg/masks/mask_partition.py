"""Conversion of overlapping masks to a region map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmseg_langseg.masks.formats import decode_rle, rle_area


def masks_to_regions(rles: Sequence[dict], height: int, width: int) -> np.ndarray:
    """Convert overlapping masks to a region map by assigning each pixel to its smallest mask.

    Large masks are painted first and small ones on top, so that parts are on top of whole objects;
    of two masks with equal areas, the later one is on top.

    Args:
        rles: N COCO RLEs of one image, which may overlap.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        ``(height, width)`` int32, ``i + 1`` for mask ``i``, 0 for no mask. A mask that is fully
        covered by others does not occur.

    Raises:
        ValueError: A mask is broken or has another size.
    """
    for i, rle in enumerate(rles):
        if tuple(rle['size']) != (height, width):
            raise ValueError(
                f'mask {i} has height x width {list(rle["size"])}, the image {[height, width]}'
            )
    # Column-major, like the masks decoded by pycocotools.
    regions = np.zeros((height, width), dtype=np.int32, order='F')
    areas = np.array([rle_area(rle) for rle in rles], dtype=np.int64)
    for i in np.argsort(-areas, kind='stable'):
        regions[decode_rle(rles[i])] = i + 1
    return np.ascontiguousarray(regions)
