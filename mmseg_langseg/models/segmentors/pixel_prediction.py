"""Labels, probabilities and margins of the pixels of an image, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .class_logits import ClassLogits, best_rows

_BAND_PIXELS = 2**22
_CHUNK_BYTES = 32 * 2**20


@dataclass(frozen=True)
class PixelPrediction:
    """Prediction for each pixel of an image.

    Attributes:
        labels: ``(H, W)`` int64, class of the highest logit; the first one if several are equal.
        scores: ``(H, W)`` float32, its probability: softmax over all embedding rows, of which a
            class has its best.
        margin: ``(H, W)`` float32, its probability minus that of the second-best class.
        probabilities: ``(K, H, W)`` float16 on the CPU, or None.
    """

    labels: Tensor
    scores: Tensor
    margin: Tensor
    probabilities: Tensor | None


def predict_labels(logits: ClassLogits) -> Tensor:
    """Return the class ``(H, W)`` int64 of the highest logit of each pixel.

    Logits are computed for a few classes and at most four million pixels at a time, so the memory
    needed does not depend on the number of classes. The labels are those of all logits at once.

    Args:
        logits: Logits of an image with at least two classes.
    """
    bands = []
    for band in _bands(logits.size):
        best = labels = None
        for start, scores, classes in logit_chunks(logits, band):
            top, index = best_rows(scores, classes).max(0)
            if best is None:
                best, labels = top, index
                continue
            better = top > best
            labels = torch.where(better, index + start, labels)
            best = torch.where(better, top, best)
        bands.append(labels)
    return torch.cat(bands)


def small_classes(labels: Tensor, num_classes: int, share: float) -> Tensor:
    """Return which classes cover only a small share of the foreground, all pixels not of class 0.

    Args:
        labels: ``(H, W)`` int64.
        num_classes: Number of classes K.
        share: Largest share that is small.

    Returns:
        ``(K,)`` bool; False for class 0.
    """
    pixels = labels.flatten().bincount(minlength=num_classes)
    pixels[0] = 0
    small = pixels <= share * pixels.sum()
    small[0] = False
    return small


def predict_pixels(
    logits: ClassLogits,
    scale: float,
    keep_probabilities: bool = False,
    excluded: Tensor | None = None,
) -> PixelPrediction:
    """Predict labels, probabilities and margins; see :func:`predict_labels`.

    Args:
        logits: Logits of an image with at least two classes.
        scale: Logit scale of the softmax.
        keep_probabilities: Also return the probabilities of all classes, which need memory for
            each class.
        excluded: ``(K,)`` bool, classes that no pixel gets; they still count in the softmax.
    """
    size = logits.size
    probabilities = None
    if keep_probabilities:
        probabilities = torch.empty((logits.num_classes, *size), dtype=torch.float16)
    bands = []
    for band in _bands(size):
        labels, best, second, total = _two_best(logits, band, scale, excluded)
        score = (scale * best - total).exp()
        bands.append((labels, score, score - (scale * second - total).exp()))
        if probabilities is None:
            continue
        for start, scores, classes in logit_chunks(logits, band):
            chunk = (scale * best_rows(scores, classes) - total).exp()
            probabilities[start : start + len(chunk), band[0] : band[1]] = chunk.half().cpu()
    labels, scores, margin = (torch.cat(parts) for parts in zip(*bands, strict=True))
    return PixelPrediction(labels, scores, margin, probabilities)


def _two_best(
    logits: ClassLogits, band: tuple[int, int], scale: float, excluded: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return labels, the two highest class logits, and the log-sum-exp over all rows."""
    best = None
    for start, scores, classes in logit_chunks(logits, band):
        total_here = (scale * scores).logsumexp(0)
        chunk = best_rows(scores, classes)
        if excluded is not None:
            chunk[excluded[start : start + len(chunk)]] = float('-inf')
        top, index = chunk.max(0)
        second_here = chunk.scatter_(0, index[None], float('-inf')).amax(0)
        if best is None:
            labels, best, second, total = index, top, second_here, total_here
            continue
        total = torch.logaddexp(total, total_here)
        second = torch.maximum(torch.maximum(second, second_here), torch.minimum(best, top))
        labels = torch.where(top > best, index + start, labels)
        best = torch.maximum(best, top)
    return labels, best, second, total


def _bands(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Split the rows of an image into bands of at most four million pixels."""
    height = max(_BAND_PIXELS // size[1], 1)
    yield from ((top, min(top + height, size[0])) for top in range(0, size[0], height))


def logit_chunks(
    logits: ClassLogits, band: tuple[int, int]
) -> Iterator[tuple[int, Tensor, tuple[int, ...]]]:
    """Compute the logits of a few classes at a time.

    Args:
        logits: Logits of an image.
        band: First pixel row, and the one after the last.

    Yields:
        First class, scores ``(R, rows, W)`` of the embedding rows of some classes, and the class
        of each embedding row.
    """
    limit = max(_CHUNK_BYTES // (4 * (band[1] - band[0]) * logits.size[1]), 1)
    classes = logits.score_classes
    start = 0
    while start < len(classes):
        stop = min(start + limit, len(classes))
        # The rows of a class stay together.
        while stop < len(classes) and classes[stop] == classes[stop - 1]:
            stop += 1
        yield classes[start], logits.scores(start, stop, band), classes[start:stop]
        start = stop
