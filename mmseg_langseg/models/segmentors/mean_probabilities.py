"""Class probabilities averaged over augmented views of an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .class_logits import ClassLogits, best_rows
from .pixel_prediction import logit_chunks


class MeanProbabilities(ClassLogits):
    """Mean of the class probabilities of views.

    Args:
        views: Logits of the views, all flipped back and of the same size and classes.
    """

    def __init__(self, views: Sequence[ClassLogits]) -> None:
        self.size = views[0].size
        self.score_classes = tuple(range(views[0].num_classes))
        self._views = views
        self._totals: tuple[tuple[int, int], list[Tensor]] | None = None

    def scores(self, start: int, stop: int, rows: tuple[int, int] | None = None) -> Tensor:
        """Compute the mean probabilities of some classes, see :meth:`ClassLogits.scores`."""
        rows = (0, self.size[0]) if rows is None else rows
        if self._totals is None or self._totals[0] != rows:
            self._totals = rows, [_log_sum_exp(view, rows) for view in self._views]
        return sum(
            view.classes(start, stop, rows).sub_(total).exp_()
            for view, total in zip(self._views, self._totals[1], strict=True)
        ) / len(self._views)


def _log_sum_exp(logits: ClassLogits, rows: tuple[int, int]) -> Tensor:
    """Return the log-sum-exp ``(rows, W)`` over the class logits of a view."""
    total = None
    for _, scores, classes in logit_chunks(logits, rows):
        chunk = best_rows(scores, classes).logsumexp(0)
        total = chunk if total is None else torch.logaddexp(total, chunk)
    return total
