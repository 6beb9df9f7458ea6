"""A photo without labels, with masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Photo:
    """A photo without labels that a verdict is given on.

    Attributes:
        name: Name for messages and reports, unique among the photos.
        load: Function that returns the photo, ``(H, W, 3)`` uint8 RGB.
        masks: COCO RLEs ``(H, W)`` of its class-agnostic masks, which may overlap.
    """

    name: str
    load: Callable[[], np.ndarray]
    masks: Sequence[dict]
