"""Verdict on two models from photos without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .evidence import Evidence

# From the study in docs/verdict.md: the error of the estimate itself, as half the width of an
# interval in mIoU, and its part that grows with the estimated gain.
_ERROR, _ERROR_GROWTH = 0.75, 0.2


@dataclass(frozen=True)
class Verdict:
    """Estimated difference of two models on photos without labels, with an interval.

    Attributes:
        gain: Estimated difference in mIoU of the second model from the first, in percent points.
        low: Lower end of its interval.
        high: Upper end.
        parts: Other measures of both models by name, (first, second).
        informed: Whether the judge knows the class names, see :class:`Judgment`.
    """

    gain: float
    low: float
    high: float
    parts: dict[str, tuple[float, float]]
    informed: bool = True

    @property
    def decision(self) -> str:
        """``better``, ``worse`` or ``undecided``."""
        if self.informed and self.low > 0:
            return 'better'
        return 'worse' if self.informed and self.high < 0 else 'undecided'


def estimated_miou(judged: np.ndarray, evidence: Evidence) -> float:
    """Return the mIoU in percent that a model has if the judged classes of the masks are right.

    The mean is over the classes that any mask is judged to be of.

    Args:
        judged: ``(N,)`` integers, class of each mask: those of a :class:`Judgment`.
        evidence: Predictions of the model.

    Raises:
        ValueError: If there is no mask.
    """
    sums = _photo_sums(judged, evidence)
    return float(_miou(sums, np.ones((1, sums.shape[1])))[0])


def compare(
    judged: np.ndarray,
    before: Evidence,
    after: Evidence,
    informed: bool = True,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Verdict:
    """Compare two models on the same photos.

    Args:
        judged: See :func:`estimated_miou`.
        before: Predictions of the first model, zero-shot CLIP.
        after: Predictions of the second.
        informed: Whether the judge knows the class names; without that, nothing is decided.
        samples: Bootstrap samples of photos for the interval.
        level: Coverage of the interval.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If there is no mask.
    """
    sums = [_photo_sums(judged, evidence) for evidence in (before, after)]
    photos = sums[0].shape[1]
    first, second = (float(_miou(own, np.ones((1, photos)))[0]) for own in sums)
    draws = np.random.default_rng(seed).multinomial(photos, np.full(photos, 1 / photos), samples)
    gains = _miou(sums[1], draws) - _miou(sums[0], draws)
    gain = second - first
    ends = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2]) - gain
    error = _ERROR + _ERROR_GROWTH * abs(gain)
    low, high = (gain + np.sign(end) * np.hypot(end, error) for end in ends)
    return Verdict(gain, float(low), float(high), {'estimated mIoU': (first, second)}, informed)


def _photo_sums(judged: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Return ``(3, P, J)``: intersections, judged and predicted pixels of J classes by photo."""
    if not len(judged):
        raise ValueError(
            'There are no masks on these photos, and without them there is no verdict: give photos '
            'with masks.'
        )
    counts = evidence.counts.astype(np.float64)
    labels = np.eye(counts.shape[1])[judged]
    parts = labels * counts, labels * counts.sum(1, keepdims=True), counts
    sums = np.zeros((3, int(evidence.photo.max()) + 1, counts.shape[1]))
    for own, part in zip(sums, parts, strict=True):
        np.add.at(own, evidence.photo, part)
    return sums[:, :, np.unique(judged)]


def _miou(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mIoU in percent for weights of the photos ``(S, P)``: ``(S,)``."""
    both, judged, predicted = (weights @ own for own in sums)
    return (both / np.maximum(judged + predicted - both, 1e-9)).mean(1) * 100
