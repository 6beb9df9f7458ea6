"""Draw masks and regions over an image."""

from __future__ import annotations

import cv2
import numpy as np

from .index_colors import index_colors


def draw_masks(image: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Draw masks over an image: large ones first, each with its outline.

    Args:
        image: uint8 (H, W, 3) RGB.
        masks: bool (N, H, W).

    Returns:
        uint8 (H, W, 3), a copy.
    """
    top = np.full(image.shape[:2], -1, np.int32)
    outline = np.zeros(image.shape[:2], bool)
    for i in np.argsort(-masks.sum((1, 2)), kind='stable'):
        inside = masks[i]
        core = cv2.erode(np.pad(inside, 1).view(np.uint8), np.ones((3, 3), np.uint8))
        top[inside] = i
        outline[inside] = core[1:-1, 1:-1][inside] == 0
    drawn = draw_regions(image, top)
    drawn[outline] = index_colors(len(masks))[top[outline]]
    return drawn


def draw_regions(image: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Draw regions over an image, each in the color of its id.

    Args:
        image: uint8 (H, W, 3) RGB.
        regions: int (H, W), non-negative ids; -1: not drawn.

    Returns:
        uint8 (H, W, 3), a copy.
    """
    drawn = image.copy()
    inside = regions >= 0
    if inside.any():
        colors = index_colors(int(regions.max()) + 1)[regions[inside]]
        drawn[inside] = (0.5 * image[inside] + 0.5 * colors).astype(np.uint8)
    return drawn
