"""Class logits refined by the colors of the image (PAMR)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mmseg_langseg.models.utils import pamr_affinity, refine_scores

from .class_logits import ClassLogits


class RefinedLogits(ClassLogits):
    """Logits of an image after PAMR, which follows the edges of the image.

    Rows are refined together with those that the
    iterations reach, so the result does not depend on how the image is divided.

    Args:
        logits: Logits to refine.
        image: ``(3, H, W)`` image of their size.
        dilations: See :func:`~mmseg_langseg.models.utils.pamr_affinity`.
        steps: Number of iterations.
    """

    def __init__(
        self,
        logits: ClassLogits,
        image: Tensor,
        dilations: Sequence[int] = (8, 16),
        steps: int = 10,
    ) -> None:
        self.size = logits.size
        self.score_classes = logits.score_classes
        self._logits = logits
        self._image = image
        self._dilations = tuple(dilations)
        self._steps = steps
        self._affinity: tuple[tuple[int, int], Tensor] | None = None

    def scores(self, start: int, stop: int, rows: tuple[int, int] | None = None) -> Tensor:
        """Compute the logits of some embedding rows, see :meth:`ClassLogits.scores`."""
        rows = (0, self.size[0]) if rows is None else rows
        reach = self._steps * max(self._dilations)
        near = max(rows[0] - reach, 0), min(rows[1] + reach, self.size[0])
        scores = self._logits.scores(start, stop, near)[None]
        refined = refine_scores(scores, self._affinity_of(near), self._dilations, self._steps)
        return refined[0, :, rows[0] - near[0] : rows[1] - near[0]]

    def _affinity_of(self, rows: tuple[int, int]) -> Tensor:
        """Return the affinity of some rows, kept for the next classes."""
        if self._affinity is None or self._affinity[0] != rows:
            # The affinity of the outer rows depends on rows beyond, but they do not count.
            image = self._image[None, :, rows[0] : rows[1]]
            self._affinity = rows, pamr_affinity(image, self._dilations)
        return self._affinity[1]
