"""Order photos without labels by how much there is to correct in their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.verdict import Photo, region_counts

from .image_inputs import ImageInput
from .inferencer import LangSegInferencer
from .rejection import add_contrast


@dataclass(frozen=True)
class QueuedPhoto:
    """A photo of the queue.

    Attributes:
        name: Name of the photo.
        disagreement: Probability, by the judge, that a pixel in a mask has another class than
            predicted; mean over pixels.
        margin: Probability of the predicted class minus that of the second-best one, mean over all
            pixels.
    """

    name: str
    disagreement: float
    margin: float


def label_queue(
    segment: LangSegInferencer,
    belief: np.ndarray,
    vocabulary: Vocabulary,
    photos: Sequence[Photo],
    quiet: bool = False,
) -> list[QueuedPhoto]:
    """Order photos by the disagreement of the predictions with a judge, highest first.

    Args:
        segment: The model.
        belief: ``(N, K)``, the judge's probabilities of the classes of all masks, see
            :func:`~mmseg_langseg.apis.judge.judge_masks`.
        vocabulary: Class names.
        photos: Photos with masks.
        quiet: Show no progress bar.
    """
    bar = tqdm(photos, 'queue', unit='image', disable=quiet)
    images = (ImageInput(photo.name, photo.load) for photo in bar)
    results = segment.stream(images, vocabulary, on_bad_image=_stop)
    classes = add_contrast(vocabulary).num_classes
    queue, start = [], 0
    for photo, result in zip(photos, results, strict=True):
        own = belief[start : start + len(photo.masks)]
        start += len(photo.masks)
        regions = masks_to_regions(photo.masks, *result.labels.shape)
        counts = region_counts(result.labels, regions, len(photo.masks), classes)
        agreement = float((own * counts).sum() / max(counts.sum(), 1))
        queue.append(QueuedPhoto(photo.name, 1 - agreement, float(result.margin.mean())))
    return sorted(queue, key=lambda photo: (-photo.disagreement, photo.name))


def _stop(name: str, error: Exception) -> None:
    raise error
