"""Masks and regions painted over an image."""

from __future__ import annotations

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from .overlay import class_colours


def draw_masks(image: np.ndarray, rles: list[dict]) -> np.ndarray:
    """Paint masks over an image: large ones first, each with its outline.

    Args:
        image: uint8 (H, W, 3) RGB.
        rles: COCO RLEs of its size.

    Returns:
        uint8 (H, W, 3), a copy.
    """
    drawn = image.copy()
    colours = class_colours(len(rles))
    order = sorted(range(len(rles)), key=lambda i: -int(coco_mask.area(rles[i])))
    for i in order:
        mask = coco_mask.decode(rles[i])
        inside = mask.astype(bool)
        drawn[inside] = (0.5 * image[inside] + 0.5 * colours[i]).astype(np.uint8)
        edge = inside & ~cv2.erode(np.pad(mask, 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1].view(
            bool
        )
        drawn[edge] = colours[i]
    return drawn


def draw_regions(image: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Paint regions over an image, each in the colour of its id.

    Args:
        image: uint8 (H, W, 3) RGB.
        regions: int (H, W), ids from 0 on; -1: not painted.

    Returns:
        uint8 (H, W, 3), a copy.
    """
    drawn = image.copy()
    inside = regions >= 0
    if inside.any():
        colours = class_colours(int(regions.max()) + 1)[regions[inside]]
        drawn[inside] = (0.5 * image[inside] + 0.5 * colours).astype(np.uint8)
    return drawn
