"""Dense features of a segmentor before its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mmseg.models.segmentors import EncoderDecoder

from mmseg_langseg.models.segmentors.distilled_segmentor import DistilledSegmentor


@contextmanager
def untrained_features(model: EncoderDecoder) -> Iterator[None]:
    """Replace the student of CLIP-S⁴ or MaskCLIP+ by its frozen CLIP tower.

    The student starts without CLIP's weights and cannot classify before it is trained, so the
    model to compare with is zero-shot CLIP. Other models stay as they are.

    Args:
        model: Segmentor with a ``LanguageHead``.

    Raises:
        ValueError: The student is trained from precomputed features, without a tower.
    """
    if not isinstance(model, DistilledSegmentor):
        yield
        return
    teacher = model.teacher
    if teacher is None:
        raise ValueError(
            f'{type(model).__name__} has teacher=None, so there is no CLIP to compare its student '
            'with: give model.teacher in the config.'
        )
    model.extract_feat = lambda images: (teacher(images),)
    try:
        yield
    finally:
        del model.extract_feat
