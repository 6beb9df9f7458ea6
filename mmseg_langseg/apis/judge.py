"""Untrained models that judge masks of photos without labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.verdict import Photo, judge
from mmseg_langseg.verdict.untrained_features import untrained_features

from .inferencer import LangSegInferencer


def judge_masks(
    segment: LangSegInferencer, vocabulary: Vocabulary, photos: Sequence[Photo]
) -> tuple[np.ndarray, bool]:
    """Compute the probabilities of the classes of each mask of photos.

    Args:
        segment: An untrained model. For CLIP-S⁴ and MaskCLIP+, their teacher judges.
        vocabulary: Class names.
        photos: Photos with masks.

    Returns:
        ``(N, K)`` float32, one row per mask of all photos: the softmax, at CLIP's logit scale, of
        :func:`mmseg_langseg.verdict.judge`. And whether the model knows the class names, see
        :class:`mmseg_langseg.verdict.Judgment`.
    """
    segment.model.set_vocabulary(vocabulary)
    with untrained_features(segment.model):
        judgment = judge(segment.model, segment.prepare, photos)
    scale = segment.model.decode_head.text_encoder.logit_scale
    return (scale * torch.from_numpy(judgment.scores)).softmax(1).numpy(), judgment.informed
