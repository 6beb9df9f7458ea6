"""Regions by color, which need no weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .mask_generator import fill_options
from .region_generator import RegionGenerator


class SuperpixelGenerator(RegionGenerator):
    """The regions of :func:`felzenszwalb_regions`, :func:`slic_regions` or another such function.

    Args:
        make_regions: ``make_regions(image, **options) -> regions``, from (H, W, 3) uint8 RGB to
            int32 (H, W).
        **options: Options of the function.

    Raises:
        ValueError: The function has no such option, or refuses its value.
    """

    packages = ('scikit-image', 'numpy')

    def __init__(self, make_regions: Callable[..., np.ndarray], **options) -> None:
        self.make_regions = make_regions
        self.settings = fill_options(make_regions, options)
        # The function checks its options: here before the first image, not at each.
        make_regions(np.zeros((8, 8, 3), np.uint8), **self.settings)

    def regions(self, image: np.ndarray) -> np.ndarray:
        """The function's regions, see :meth:`MaskGenerator.regions`."""
        return self.make_regions(image, **self.settings)
