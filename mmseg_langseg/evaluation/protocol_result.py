"""A number and how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ProtocolResult:
    """What an unsupervised evaluation gives.

    Attributes:
        iou: ``(C,)`` float64 in 0..1, ``nan`` for a class that does not count.
        protocol: The protocol in words; unsupervised protocols differ so much that a number
            without it says nothing.
    """

    iou: Tensor
    protocol: str

    @property
    def miou(self) -> float:
        """Mean over the classes that count, in percent."""
        return round(100 * float(self.iou.nanmean()), 2)
