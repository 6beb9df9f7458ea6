"""Colors of numbered regions, masks and views."""

import colorsys

import numpy as np


def index_colors(count: int) -> np.ndarray:
    """Return ``(count, 3)`` uint8 RGB colors; consecutive colors differ clearly.

    For classes, see :func:`mmseg_langseg.export.class_colors`.
    """
    # Golden-ratio steps around the color wheel keep consecutive hues far apart.
    hues = (np.arange(count) * 0.618033988749895) % 1.0
    tones = [(0.85, 0.95), (0.55, 0.95), (0.9, 0.65)]
    rgb = [colorsys.hsv_to_rgb(hue, *tones[i % len(tones)]) for i, hue in enumerate(hues)]
    return (np.array(rgb).reshape(-1, 3) * 255).round().astype(np.uint8)
