"""Rejection of uncertain pixels, and contrast words for a single class."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mmseg_langseg.export import SegmentationResult
from mmseg_langseg.fileio import LangSegWarning
from mmseg_langseg.models.segmentors import PixelPrediction
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.text_encoders.vocabulary import BACKGROUND

OTHER = 'other'
"""Class of rejected pixels, and of pixels where contrast words win."""
CONTRAST = 'contrast.json'
"""Bundled contrast words for a vocabulary of one class."""


def add_contrast(vocabulary: Vocabulary, contrast: Sequence[str] | None = None) -> Vocabulary:
    """Add contrast words to a vocabulary of one class, without which every pixel would get it.

    Args:
        vocabulary: Class names; with two or more classes, or background words, it is returned
            unchanged.
        contrast: Contrast words; None: the bundled ``contrast.json``. Words of the class itself are
            left out.

    Raises:
        ValueError: No contrast word is left, one is not valid, or the only class is that of
            background words or of rejected pixels.
    """
    if vocabulary.num_classes > 1:
        return vocabulary
    if vocabulary.names[0].lower() in (BACKGROUND, OTHER):
        raise ValueError(
            f'The only class is {vocabulary.names[0]!r}, the name for everything else; give at '
            'least one class name of what is to be found.'
        )
    if vocabulary.synonyms[0]:
        shown = ', '.join(map(repr, (vocabulary.names[0], *vocabulary.synonyms[0])))
        warnings.warn(
            f'{shown} are names of one class, as commas separate synonyms. Semicolons separate '
            'classes.',
            LangSegWarning,
            stacklevel=2,
        )
    words = Vocabulary.from_json(CONTRAST).names if contrast is None else contrast
    own = {word.lower() for word in (*vocabulary.names, *vocabulary.synonyms[0])}
    words = [word for word in words if word.lower() not in own]
    if not words:
        raise ValueError(
            f'The class {vocabulary.names[0]!r} has no contrast word; give at least one other word.'
        )
    entries = Vocabulary.from_names(words).rows
    return replace(vocabulary, background=tuple(map(tuple, entries)))


@dataclass(frozen=True)
class Rejection:
    """Rules by which pixels get the class ``'other'`` instead of their best class.

    Args:
        threshold: Minimum probability of the best class, in [0, 1]; None accepts all.
        min_margin: Minimum difference of the probabilities of the two best classes; None: any.

    Raises:
        ValueError: A value is outside [0, 1].
    """

    threshold: float | None = None
    min_margin: float | None = None

    def __post_init__(self) -> None:
        for name in ('threshold', 'min_margin'):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f'{name} is {value}, expected a probability from 0 to 1.')

    @property
    def rejects(self) -> bool:
        """Whether pixels can be rejected."""
        return self.threshold is not None or self.min_margin is not None

    def classes(self, vocabulary: Vocabulary) -> tuple[str, ...]:
        """Return the classes of results.

        Args:
            vocabulary: Class names as given. A single class has contrast words, which are
                ``'other'``. If pixels can be rejected, ``'other'`` is appended unless it is there.
        """
        names = vocabulary.names
        needs_other = self.rejects or vocabulary.num_classes == 1
        return (*names, OTHER) if needs_other and OTHER not in names else names

    def check_reachable(self, num_rows: int, scale: float) -> None:
        """Warn if no pixel can be accepted: cosines are in [-1, 1], so probabilities are bounded.

        Args:
            num_rows: Number of embedding rows (classes and background words).
            scale: Logit scale of the softmax.
        """
        worst = math.exp(-2 * scale)
        best = 1 / (1 + (num_rows - 1) * worst)
        limits = dict(threshold=best, min_margin=best * (1 - worst))
        for name, limit in limits.items():
            value = getattr(self, name)
            if value is not None and value > limit:
                bound = f'{limit:.3g}'
                bound = 'always below 1' if bound == '1' else f'at most {bound}'
                warnings.warn(
                    f'{name}={value:g} rejects every pixel: with {num_rows} text embeddings and a '
                    f'logit scale of {scale:.3g}, it is {bound}.',
                    LangSegWarning,
                    stacklevel=3,
                )

    def result(
        self,
        image: np.ndarray,
        predicted: PixelPrediction,
        classes: tuple[str, ...],
        name: str | None,
    ) -> SegmentationResult:
        """Apply the rules to the prediction of an image.

        Args:
            image: ``(H, W, 3)`` uint8, RGB.
            predicted: Prediction of the image.
            classes: Classes of the result, see :meth:`classes`.
            name: File name of the image.
        """
        labels = predicted.labels
        if self.rejects:
            rejected = torch.zeros_like(labels, dtype=torch.bool)
            if self.threshold is not None:
                rejected |= predicted.scores < self.threshold
            if self.min_margin is not None:
                rejected |= predicted.margin < self.min_margin
            labels = labels.masked_fill(rejected, classes.index(OTHER))
        kept = predicted.probabilities
        return SegmentationResult(
            image=image,
            labels=labels.cpu().numpy(),
            classes=classes,
            scores=predicted.scores.cpu().numpy(),
            margin=predicted.margin.cpu().numpy(),
            probabilities=None if kept is None else kept.numpy(),
            name=name,
        )
