"""From overlapping masks to a partition of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmseg_langseg.masks.formats import decode_rle, rle_area


def masks_to_regions(rles: Sequence[dict], height: int, width: int) -> np.ndarray:
    """Give each pixel to the smallest mask that covers it.

    Large masks are painted first and small ones on top, so that parts lie on their wholes; of two
    masks of one area the later one is on top.

    Args:
        rles: N COCO RLEs of one image, which may overlap.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        int32 (height, width): ``i + 1`` for mask ``i``, 0 in no mask. A mask that others cover
        fully does not occur.

    Raises:
        ValueError: A mask is broken or of another size.
    """
    for i, rle in enumerate(rles):
        if tuple(rle['size']) != (height, width):
            raise ValueError(
                f'mask {i} has height x width {list(rle["size"])}, the image {[height, width]}'
            )
    # Column-major, as pycocotools decodes.
    regions = np.zeros((height, width), dtype=np.int32, order='F')
    areas = np.array([rle_area(rle) for rle in rles], dtype=np.int64)
    for i in np.argsort(-areas, kind='stable'):
        regions[decode_rle(rles[i])] = i + 1
    return np.ascontiguousarray(regions)
