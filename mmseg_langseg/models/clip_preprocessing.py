"""How the image tower of an image-text model expects its images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

from .clip_arch import QUICK, is_stored, stored_config


@dataclass(frozen=True)
class ClipPreprocessing:
    """Image preprocessing that a model was trained with.

    Attributes:
        mean: RGB mean on the 0..255 scale.
        std: RGB standard deviation, likewise.
        interpolation: ``'bicubic'`` or ``'bilinear'``.
        resize_mode: ``'shortest'`` (short side, then a crop) or ``'squash'`` (both sides).
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    resize_mode: str


def clip_preprocessing(
    arch: str | Mapping, pretrained: str | os.PathLike | None = None
) -> ClipPreprocessing:
    """Return the preprocessing of a model, from open_clip's list or the model's own file.

    Args:
        arch: See :func:`~mmseg_langseg.models.load_clip`. For a dict it is CLIP's.
        pretrained: See there. For a local file or None it is that of the first tag of ``arch``.
    """
    config: Mapping = {}
    if is_stored(arch):
        config = stored_config(arch).get('preprocess_cfg') or {}
    elif isinstance(arch, str):
        config = _of_tag(arch, pretrained)
    return ClipPreprocessing(
        mean=tuple(255.0 * value for value in config.get('mean', OPENAI_DATASET_MEAN)),
        std=tuple(255.0 * value for value in config.get('std', OPENAI_DATASET_STD)),
        interpolation=config.get('interpolation', 'bicubic'),
        resize_mode=config.get('resize_mode', 'shortest'),
    )


def _of_tag(arch: str, pretrained: str | os.PathLike | None) -> Mapping:
    names = arch, arch.removesuffix(QUICK)
    tags = [(name, tag) for name in names for tag in list_pretrained_tags_by_model(name)]
    wanted = str(pretrained).lower().replace('-', '_')
    named = [pair for pair in tags if pair[1] == wanted]
    pairs = named or tags
    return get_pretrained_cfg(*pairs[0]) if pairs else {}
