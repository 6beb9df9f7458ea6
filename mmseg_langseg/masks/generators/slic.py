"""SLIC superpixels, merged to a limited number of regions."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import slic

from mmseg_langseg.masks.option_checks import check_integer, check_number

from .merge_regions import MAX_REGIONS, merge_regions
from .working_size import enlarge_regions, shrink_image


def slic_regions(
    image: np.ndarray,
    num_superpixels: int = 400,
    compactness: float = 10.0,
    max_regions: int = 48,
    max_pixels: int = 320 * 240,
) -> np.ndarray:
    """Segment an image into a few regions by merging SLIC superpixels.

    Args:
        image: (H, W, 3) uint8 RGB.
        num_superpixels: Approximate number of superpixels before merging.
        compactness: Weight of position against color (scikit-image's ``compactness``).
        max_regions: Maximum number of regions after merging.
        max_pixels: Larger images are segmented at this size in pixels.

    Returns:
        int32 (H, W), ids 0 ... n - 1. Each region is 4-connected.

    Raises:
        ValueError: The image is not (H, W, 3) uint8, or an option is out of range.
    """
    check_integer('num_superpixels', num_superpixels, 1)
    check_number('compactness', compactness, 0, exclusive=True)
    check_integer('max_regions', max_regions, 1, MAX_REGIONS)
    check_integer('max_pixels', max_pixels, 1)
    small = shrink_image(image, max_pixels)
    regions = slic(small, n_segments=num_superpixels, compactness=compactness, start_label=0)
    return enlarge_regions(merge_regions(small, regions, max_regions), image.shape[:2])
