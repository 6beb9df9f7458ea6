"""Verdict on two models from photos without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .evidence import Evidence


@dataclass(frozen=True)
class Verdict:
    """Estimated difference of two models on photos without labels, with an interval.

    Attributes:
        gain: Estimated difference in mIoU of the second model from the first, in percent points.
        low: Lower end of its interval.
        high: Upper end.
        parts: Other measures of both models by name, (first, second).
    """

    gain: float
    low: float
    high: float
    parts: dict[str, tuple[float, float]]

    @property
    def decision(self) -> str:
        """``better``, ``worse`` or ``undecided``."""
        if self.low > 0:
            return 'better'
        return 'worse' if self.high < 0 else 'undecided'


def beliefs(scores: np.ndarray, scale: float) -> np.ndarray:
    """Return the probabilities of the classes of each mask, after centering on all masks.

    Args:
        scores: ``(N, K)`` cosines of :func:`~mmseg_langseg.verdict.measure.mask_scores`.
        scale: Logit scale of the softmax.

    Returns:
        ``(N, K)`` float64, each row sums to one.
    """
    logits = scale * (scores.astype(np.float64) - scores.mean(0))
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def estimated_miou(belief: np.ndarray, evidence: Evidence, weights: np.ndarray | None = None):
    """Return the mIoU in percent that a model has if the beliefs about the masks are right.

    Args:
        belief: ``(N, K)`` of :func:`beliefs`.
        evidence: Predictions of the model.
        weights: ``(P,)`` weight of each photo, default 1.
    """
    counts = evidence.counts.astype(np.float64)
    if weights is not None:
        counts = counts * weights[evidence.photo][:, None]
    confusion = belief.T @ counts
    both = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - both
    return float(np.mean(both / np.maximum(union, 1e-9)) * 100)


def compare(
    belief: np.ndarray,
    before: Evidence,
    after: Evidence,
    samples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Verdict:
    """Compare two models on the same photos.

    Args:
        belief: ``(N, K)`` of :func:`beliefs`.
        before: Predictions of the first model, zero-shot CLIP.
        after: Predictions of the second.
        samples: Bootstrap samples of photos for the interval.
        level: Coverage of the interval.
        seed: Seed of the bootstrap.
    """
    scores = [estimated_miou(belief, evidence) for evidence in (before, after)]
    rng = np.random.default_rng(seed)
    photos = int(before.photo.max()) + 1
    gains = []
    for _ in range(samples):
        weights = np.bincount(rng.integers(photos, size=photos), minlength=photos).astype(float)
        first, second = (estimated_miou(belief, e, weights) for e in (before, after))
        gains.append(second - first)
    low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2])
    gain = scores[1] - scores[0]
    return Verdict(gain, float(low), float(high), {'estimated mIoU': tuple(scores)})
