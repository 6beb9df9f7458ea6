"""Resizing of large images before superpixel segmentation."""

from __future__ import annotations

import cv2
import numpy as np


def shrink_image(image: np.ndarray, max_pixels: int) -> np.ndarray:
    """Downsample an image to about ``max_pixels`` pixels, keeping its aspect ratio.

    Args:
        image: (H, W, 3) uint8.
        max_pixels: Approximate pixels of the result; smaller images are not resized.

    Returns:
        uint8 (h, w, 3).

    Raises:
        ValueError: The image is not (H, W, 3) uint8, or has no pixels.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f'expected an image (H, W, 3) uint8, got {image.shape} {image.dtype}')
    height, width = image.shape[:2]
    factor = (max_pixels / (height * width)) ** 0.5
    if factor >= 1:
        return np.ascontiguousarray(image)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def enlarge_regions(regions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Upsample a region map to the size of its image by nearest-neighbor interpolation.

    Args:
        regions: (h, w) int.
        size: (H, W).

    Returns:
        (H, W), with the same ids.
    """
    rows, columns = (
        (2 * np.arange(full) + 1) * small // (2 * full)
        for full, small in zip(size, regions.shape, strict=True)
    )
    return regions[rows[:, None], columns]
