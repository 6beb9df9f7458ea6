"""Base class of class logits at image size, computed for some classes and rows at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import Tensor


class ClassLogits(ABC):
    """Logits of one image at its own size.

    Logits of all classes at image size take gigabytes for large vocabularies and images, so they
    are computed for a few embedding rows of the vocabulary and some pixel rows at a time.

    Attributes:
        size: (H, W) of the image.
        score_classes: Class of each embedding row, ascending. A class may have several embedding
            rows (background words), of which each pixel takes the best.
    """

    size: tuple[int, int]
    score_classes: tuple[int, ...]

    @abstractmethod
    def scores(self, start: int, stop: int, rows: tuple[int, int] | None = None) -> Tensor:
        """Compute the logits of some embedding rows.

        Args:
            start: First embedding row.
            stop: The one after the last.
            rows: First pixel row, and the one after the last; None for all.

        Returns:
            ``(stop - start, rows, W)`` float32; the caller may change it.
        """

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return self.score_classes[-1] + 1

    def classes(self, start: int, stop: int, rows: tuple[int, int] | None = None) -> Tensor:
        """Compute class logits ``(stop - start, rows, W)``.

        Args:
            start: First class.
            stop: The one after the last.
            rows: See :meth:`scores`.
        """
        own = [row for row, index in enumerate(self.score_classes) if start <= index < stop]
        scores = self.scores(own[0], own[-1] + 1, rows)
        return best_rows(scores, self.score_classes[own[0] : own[-1] + 1])


def best_rows(scores: Tensor, classes: tuple[int, ...]) -> Tensor:
    """Reduce scores of embedding rows ``(R, ...)`` to those of classes, each its best row.

    Args:
        scores: ``(R, ...)``.
        classes: Class of each row, ascending.
    """
    if len(set(classes)) == len(classes):
        return scores
    bounds = [*(classes.index(index) for index in dict.fromkeys(classes)), len(classes)]
    return torch.stack([scores[first:last].amax(0) for first, last in pairwise(bounds)])
