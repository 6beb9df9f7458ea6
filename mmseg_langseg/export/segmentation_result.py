"""Segmentation result of one image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class SegmentationResult:
    """Segmentation result of one image.

    Attributes:
        image: ``(H, W, 3)`` uint8, RGB: the image as read.
        labels: ``(H, W)`` int64 index into ``classes``.
        classes: Class names in the given order. If pixels can be rejected, the last one is
            ``'other'``, the class of rejected pixels.
        scores: ``(H, W)`` float32, probability of the best class, or None.
        margin: ``(H, W)`` float32, probability of the best minus that of the second-best class, or
            None.
        probabilities: ``(K, H, W)`` float16, on request; without the class ``'other'`` of rejected
            pixels unless contrast or background words define it.
        name: Path of the image relative to its folder, or None for an array.
    """

    image: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    scores: np.ndarray | None = None
    margin: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    name: str | None = None

    def save(
        self,
        folder: str | os.PathLike,
        formats: Sequence[str] = ('overlay',),
        overwrite: bool = False,
    ) -> list[Path]:
        """Save the result, see :func:`~mmseg_langseg.export.save_results`.

        Args:
            folder: Folder to write to.
            formats: Names of ``mmseg_langseg.export.EXPORTERS``, e.g. ``['overlay', 'labels']``.
            overwrite: Replace files that exist.

        Returns:
            The files.
        """
        from .save_results import save_results  # which imports this module

        return save_results([self], folder, formats, overwrite)
