"""Class colors that depend on the class name alone."""

from __future__ import annotations

import colorsys
import hashlib
from collections.abc import Sequence

import numpy as np


def class_colors(names: Sequence[str]) -> np.ndarray:
    """Return a color for each class name, the same in every picture and vocabulary.

    Names of one vocabulary whose colors would be equal are told apart by a small change of the
    later one, since label images are read back by color.

    Args:
        names: K class names, distinct.

    Returns:
        ``(K, 3)`` uint8, RGB; no color is black, which export formats use for the background.
    """
    colors: dict[tuple[int, int, int], None] = {}
    for name in names:
        color = _color(name)
        while color in colors:
            color = (color[0], color[1], (color[2] + 1) % 256)
        colors[color] = None
    return np.array(list(colors), np.uint8).reshape(-1, 3)


def _color(name: str) -> tuple[int, int, int]:
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    hue = int.from_bytes(digest[:2], 'big') / 2**16
    saturation, value = 0.55 + 0.4 * digest[2] / 255, 0.65 + 0.3 * digest[3] / 255
    red, green, blue = (round(255 * x) for x in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue
