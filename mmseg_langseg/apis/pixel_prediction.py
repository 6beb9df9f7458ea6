"""Labels, probabilities and margins of pixels from class logits, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK = 16


@dataclass(frozen=True)
class PixelPrediction:
    """Prediction for each pixel of an image.

    Attributes:
        labels: ``(H, W)`` int64, class of the highest logit; the first one if several are equal.
        scores: ``(H, W)`` float32, its probability.
        margin: ``(H, W)`` float32, its probability minus that of the second-best class.
        probabilities: ``(K, H, W)`` float16, or None.
    """

    labels: Tensor
    scores: Tensor
    margin: Tensor
    probabilities: Tensor | None


def predict_pixels(
    logits: Tensor,
    size: tuple[int, int],
    scale: float,
    align_corners: bool = False,
    keep_probabilities: bool = False,
) -> PixelPrediction:
    """Resize class logits to image size and reduce them to the best class of each pixel.

    Logits are resized a few classes at a time, so memory does not grow with the number of classes
    unless probabilities are kept. The labels equal those of resizing all logits at once.

    Args:
        logits: ``(K, h, w)`` cosines, K >= 2.
        size: Height and width of the image.
        scale: Logit scale of the softmax over the classes.
        align_corners: See ``F.interpolate``.
        keep_probabilities: Also return the probabilities of all classes.
    """
    best = logits.new_full((2, *size), float('-inf'), dtype=torch.float32)
    labels = torch.zeros(size, dtype=torch.long, device=logits.device)
    total = best[0].clone()  # log-sum-exp of the scaled logits

    def resized(start: int) -> Tensor:
        chunk = logits[start : start + _CHUNK].float()[None]
        return F.interpolate(chunk, size=size, mode='bilinear', align_corners=align_corners)[0]

    for start in range(0, len(logits), _CHUNK):
        chunk = resized(start)
        total = torch.logaddexp(total, (scale * chunk).logsumexp(0))
        top, index = chunk.max(0)
        labels = torch.where(top > best[0], index + start, labels)
        best = torch.cat([best, chunk.topk(min(2, len(chunk)), 0).values]).topk(2, 0).values
    probability = (scale * best - total).exp()
    probabilities = None
    if keep_probabilities:
        probabilities = torch.empty((len(logits), *size), dtype=torch.float16)
        for start in range(0, len(logits), _CHUNK):
            chunk = (scale * resized(start) - total).exp()
            probabilities[start : start + _CHUNK] = chunk.half().cpu()
    return PixelPrediction(labels, probability[0], probability[0] - probability[1], probabilities)
