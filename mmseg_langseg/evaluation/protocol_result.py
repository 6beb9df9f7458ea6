"""Evaluation result together with its protocol."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ProtocolResult:
    """Result of an unsupervised evaluation.

    Attributes:
        iou: ``(C,)`` float64 in 0..1, ``nan`` for a class that does not count.
        protocol: Description of the protocol; unsupervised protocols differ so much that a number
            without it is meaningless.
    """

    iou: Tensor
    protocol: str

    @property
    def miou(self) -> float:
        """Mean over the classes that count, in percent."""
        return round(100 * float(self.iou.nanmean()), 2)
