"""Encoding of label maps as PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def encode_label_png(labels: np.ndarray, palette: np.ndarray | None = None) -> bytes:
    """Encode a label map as a PNG of one channel.

    Args:
        labels: uint8 or uint16 ``(H, W)``.
        palette: Colors uint8 ``(N, 3)`` of the labels, for 8 bits; None: gray.
    """
    picture = Image.fromarray(labels)
    if palette is not None:
        picture.putpalette(palette.tobytes())
    content = io.BytesIO()
    picture.save(content, format='PNG')
    return content.getvalue()
