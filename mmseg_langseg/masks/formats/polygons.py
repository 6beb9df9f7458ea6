"""Conversion of COCO polygons to run-length encodings."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import check_size, show_value

from .rle import compress_rle

MAX_OUTLINE = 2**22
"""Maximum outline length of a mask in pixels: pycocotools needs about 100 bytes per pixel."""


def polygons_to_rle(polygons: Any, height: int, width: int) -> dict:
    """Convert the polygons of one annotation to the RLE of their union.

    pycocotools does not validate its input: coordinates far outside the image cause a segmentation
    fault, and NaN uses up all memory. So points may be outside by one side of the image at most.

    Args:
        polygons: List of polygons ``[x1, y1, x2, y2, ...]`` of at least three points, in pixels.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        COCO RLE ``{'size': [H, W], 'counts': str}``.

    Raises:
        ValueError: The polygons are not such a list, a coordinate is not finite or far outside, or
            the outline is longer than ``MAX_OUTLINE``.
    """
    height, width = check_size(height, width)
    if not isinstance(polygons, list) or not polygons:
        raise ValueError(f'expected a list of polygons, got {show_value(polygons)}')
    outlines = [_read_polygon(polygon, height, width) for polygon in polygons]
    length = sum(_outline_length(points) for points in outlines)
    if length > MAX_OUTLINE:
        raise ValueError(
            f'the polygons are {length:.0f} pixels long, expected at most {MAX_OUTLINE}'
        )
    flat = [points.ravel().tolist() for points in outlines]
    return compress_rle(coco_mask.merge(coco_mask.frPyObjects(flat, height, width)))


def _read_polygon(polygon: Any, height: int, width: int) -> np.ndarray:
    """Validate a polygon and return its points (N, 2)."""
    # pycocotools would interpret four numbers as a box.
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(
            'a polygon needs at least three points [x1, y1, x2, y2, ...], got '
            f'{show_value(polygon)}'
        )
    if any(type(value) not in (int, float) for value in polygon):
        raise ValueError(f'a polygon must contain numbers only, got {show_value(polygon)}')
    limits = {0: width, 1: height}
    for i, value in enumerate(polygon):
        # Also false for NaN.
        if not -limits[i % 2] <= value <= 2 * limits[i % 2]:
            raise ValueError(
                f'a polygon has the coordinate {show_value(value)}, far outside the image with '
                f'height x width {height} x {width}'
            )
    return np.array(polygon, dtype=np.float64).reshape(-1, 2)


def _outline_length(points: np.ndarray) -> float:
    steps = np.abs(points - np.roll(points, 1, axis=0))
    # Every point takes memory, even if it repeats the previous one.
    return float(np.maximum(steps.max(axis=1), 1).sum())
