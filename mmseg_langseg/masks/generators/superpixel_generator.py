"""Superpixel mask generator, which needs no model weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .mask_generator import fill_options
from .region_generator import RegionGenerator


class SuperpixelGenerator(RegionGenerator):
    """Superpixels of :func:`felzenszwalb_regions`, :func:`slic_regions` or a similar function.

    Args:
        make_regions: ``make_regions(image, **options) -> regions``, from (H, W, 3) uint8 RGB to
            int32 (H, W).
        **options: Options of the function.

    Raises:
        ValueError: The function has no such option, or the value is invalid.
    """

    packages = ('scikit-image', 'numpy')

    def __init__(self, make_regions: Callable[..., np.ndarray], **options) -> None:
        self.make_regions = make_regions
        self.settings = fill_options(make_regions, options)
        # The function checks its options: call it once to report errors before the first image.
        make_regions(np.zeros((8, 8, 3), np.uint8), **self.settings)

    def regions(self, image: np.ndarray) -> np.ndarray:
        """Segment an image into superpixels, see :meth:`MaskGenerator.regions`."""
        return self.make_regions(image, **self.settings)
