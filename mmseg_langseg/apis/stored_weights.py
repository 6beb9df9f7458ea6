"""Skip the download of pretrained weights if a checkpoint holds the whole model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmseg_langseg.fileio import read_checkpoint

TEXT_ENCODER = 'decode_head.text_encoder.'


def skip_public_weights_of(model: Mapping[str, Any], checkpoint: str | None) -> None:
    """Apply :func:`skip_public_weights` to a checkpoint file; URLs are ignored."""
    if checkpoint is None or '://' in checkpoint:
        return
    content = read_checkpoint(checkpoint, mmap=True)
    if isinstance(content, Mapping):
        skip_public_weights(model, content.get('state_dict', content))


def skip_public_weights(model: Mapping[str, Any], names: Iterable[str]) -> None:
    """Initialize a model with random weights if a checkpoint holds all its tensors.

    A checkpoint holds the frozen text encoder only if the model was trained from random weights
    (``pretrained=None``). It then holds the frozen image tower as well, and downloading public
    weights would be useless.

    Args:
        model: Config of the segmentor; changed in place.
        names: Names of the tensors in the checkpoint.
    """
    if not any(TEXT_ENCODER in name for name in names):
        return
    encoder = model.get('decode_head', {}).get('text_encoder') or {}
    source = encoder.get('pretrained', (model.get('clip') or {}).get('pretrained'))
    _replace(model, source)


def _replace(config: Any, source: str | None) -> None:
    if isinstance(config, (list, tuple)):
        for entry in config:
            _replace(entry, source)
    elif isinstance(config, Mapping):
        for key, value in config.items():
            if key == 'pretrained' and value == source:
                config[key] = None
            else:
                _replace(value, source)
