"""Crop of an image around a mask."""

from __future__ import annotations

import cv2
import numpy as np

_CONTEXT, _LEAST = 0.15, 2
_FADED = 0.3
_OUTLINE = (230, 30, 30)


def crop_mask(image: np.ndarray, mask: np.ndarray, side: int) -> np.ndarray:
    """Cut a mask out of its image, with some context, faded, and an outline.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: bool (h, w), of the whole image in another resolution, with at least one pixel.
        side: Longest side of the crop in pixels.

    Returns:
        uint8 (h', w', 3).
    """
    height, width = image.shape[:2]
    full = cv2.resize(mask.astype(np.float32), (width, height)) >= 0.5
    if not full.any():
        # Too small a mask for a pixel of its own.
        rows, columns = np.nonzero(mask)
        full[rows * height // mask.shape[0], columns * width // mask.shape[1]] = True
    y0, y1, x0, x1 = _box(full)
    image, full = image[y0:y1, x0:x1], full[y0:y1, x0:x1]
    factor = side / max(image.shape[:2])
    size = tuple(max(1, round(length * factor)) for length in (image.shape[1], image.shape[0]))
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    image = cv2.resize(image, size, interpolation=kind)
    inside = cv2.resize(full.astype(np.float32), size) >= 0.5
    faded = _FADED * image + (1 - _FADED) * 255
    drawn = np.where(inside[..., None], image, faded).astype(np.uint8)
    outlines, _ = cv2.findContours(inside.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, outlines, -1, _OUTLINE, 1, cv2.LINE_AA)
    return drawn


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return the rows and columns of a mask with its context, as square as the image allows."""
    spans = [np.flatnonzero(mask.any(axis)) for axis in (1, 0)]
    side = max(span[-1] - span[0] + 1 for span in spans)
    side = round(side * (1 + 2 * _CONTEXT)) + 2 * _LEAST
    box = []
    for span, length in zip(spans, mask.shape, strict=True):
        wanted = min(side, length)
        start = (span[0] + span[-1] + 1 - wanted) // 2
        start = int(min(max(start, 0), length - wanted))
        box += [start, start + wanted]
    return tuple(box)
