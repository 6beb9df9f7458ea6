"""The image-text model that a checkpoint was trained from, stored in its ``meta``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn

from mmseg_langseg.models.clip_loader import weights_fingerprint

KEY = 'image_text_model'


def describe_image_text_model(model: nn.Module) -> dict[str, str | None] | None:
    """Return architecture, weights and fingerprint of a segmentor's image-text model.

    Args:
        model: Segmentor, possibly inside wrappers.

    Returns:
        ``arch``, ``pretrained`` and ``fingerprint``, that of the frozen text tower, which is the
        same for any path of the weights; None if it has no text encoder.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    encoder = getattr(getattr(model, 'decode_head', None), 'text_encoder', None)
    if encoder is None:
        return None
    arch = encoder.arch
    return dict(
        arch=arch if isinstance(arch, str) else json.dumps(arch, sort_keys=True, default=dict),
        pretrained=None if encoder.pretrained is None else str(encoder.pretrained),
        fingerprint=weights_fingerprint(encoder.text),
    )


def check_image_text_model(model: nn.Module, checkpoint: Any, source: str) -> None:
    """Check that a checkpoint was trained from the image-text model of a segmentor.

    Its trained weights are loaded over the public ones, which must be the same. Checkpoints without
    the entry, of earlier versions and other packages, and those with random weights, which are in
    the checkpoint, are not checked.

    Args:
        model: Segmentor, possibly inside wrappers.
        checkpoint: Content of the file.
        source: File name for the error message.

    Raises:
        ValueError: It was trained from another one.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    theirs = meta.get(KEY) if isinstance(meta, Mapping) else None
    if not isinstance(theirs, Mapping) or theirs.get('pretrained') is None:
        return
    own = describe_image_text_model(model)
    if own is None or own['pretrained'] is None:
        return
    if (own['arch'], own['fingerprint']) != (theirs.get('arch'), theirs.get('fingerprint')):
        raise ValueError(
            f"'{source}' was trained from {_name(theirs)}, but the config has {_name(own)}: its "
            'trained weights do not fit the others. Set model.clip.arch and model.clip.pretrained '
            'to those that it was trained from.'
        )


def _name(description: Mapping[str, Any]) -> str:
    arch = str(description.get('arch'))
    arch = arch if len(arch) < 60 else f'{arch[:57]}...'
    return f"the image-text model '{arch}' with the weights '{description.get('pretrained')}'"
