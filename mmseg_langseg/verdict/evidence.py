"""What a model predicts on photos without labels, by region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Evidence:
    """Predictions of one model on photos without labels, counted by region.

    A region is the part of a mask that no smaller mask covers. All arrays have one row per mask of
    all photos, in their order; K is the number of classes.

    Attributes:
        photo: ``(N,)`` int64, index of the photo of each region.
        counts: ``(N, K)`` int64, pixels of each region by predicted class.
    """

    photo: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, counts: Sequence[np.ndarray]) -> Evidence:
        """Join the counts ``(N_i, K)`` of photos."""
        photo = np.repeat(np.arange(len(counts)), [len(own) for own in counts])
        return cls(photo, np.concatenate(list(counts)))


def region_counts(
    labels: np.ndarray, regions: np.ndarray, num_masks: int, num_classes: int
) -> np.ndarray:
    """Count the pixels of each region by predicted class.

    Args:
        labels: ``(H, W)`` integers, predicted classes.
        regions: ``(H, W)`` integers of ``masks_to_regions``: ``i + 1`` for mask ``i``, 0 for none.
        num_masks: N.
        num_classes: K; other labels are ignored.

    Returns:
        ``(N, K)`` int64.
    """
    covered = (regions > 0) & (labels >= 0) & (labels < num_classes)
    cells = (regions[covered].astype(np.int64) - 1) * num_classes + labels[covered]
    counts = np.bincount(cells, minlength=num_masks * num_classes)
    return counts.reshape(num_masks, num_classes)
