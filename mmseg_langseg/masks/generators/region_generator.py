"""Base class of mask generators that produce regions."""

from __future__ import annotations

import numpy as np

from mmseg_langseg.masks.formats import encode_masks

from .mask_generator import MaskGenerator


class RegionGenerator(MaskGenerator):
    """Base class of generators that segment an image into regions, each of which is a mask."""

    def masks(self, image: np.ndarray) -> list[dict]:
        """Return one annotation per region, see :meth:`MaskGenerator.masks`."""
        return [dict(segmentation=rle) for rle in regions_to_rles(self.regions(image))]


def regions_to_rles(regions: np.ndarray) -> list[dict]:
    """Encode each region of a region map as a COCO RLE mask.

    Args:
        regions: (H, W) int; negative ids belong to no mask.

    Returns:
        COCO RLEs with string counts, ordered by region id.
    """
    regions = np.asfortranarray(regions)
    ids = np.unique(regions)
    return encode_masks(regions == i for i in ids[ids >= 0])
