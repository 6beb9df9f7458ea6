"""Masks that are regions."""

from __future__ import annotations

import numpy as np

from mmseg_langseg.masks.formats import encode_masks

from .mask_generator import MaskGenerator


class RegionGenerator(MaskGenerator):
    """A generator that cuts an image into regions; each of them is a mask."""

    def masks(self, image: np.ndarray) -> list[dict]:
        """One annotation for each region, see :meth:`MaskGenerator.masks`."""
        return [dict(segmentation=rle) for rle in regions_to_rles(self.regions(image))]


def regions_to_rles(regions: np.ndarray) -> list[dict]:
    """Encode each region as a mask.

    Args:
        regions: (H, W) int; negative ids are in no mask.

    Returns:
        COCO RLEs with text counts, in the order of the ids that occur.
    """
    regions = np.asfortranarray(regions)
    ids = np.unique(regions)
    return encode_masks(regions == i for i in ids[ids >= 0])
