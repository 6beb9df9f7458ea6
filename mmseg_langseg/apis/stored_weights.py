"""Checkpoints that hold the whole model need no public weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmseg_langseg.fileio import read_checkpoint

TEXT_ENCODER = 'decode_head.text_encoder.'


def skip_public_weights_of(model: Mapping[str, Any], checkpoint: str | None) -> None:
    """As :func:`skip_public_weights`, for a checkpoint file; one to download is left alone."""
    if checkpoint is None or '://' in checkpoint:
        return
    content = read_checkpoint(checkpoint, mmap=True)
    if isinstance(content, Mapping):
        skip_public_weights(model, content.get('state_dict', content))


def skip_public_weights(model: Mapping[str, Any], names: Iterable[str]) -> None:
    """Let a model start from random weights if a checkpoint holds all that it needs.

    A checkpoint holds the frozen text encoder only if it was trained from random weights
    (``pretrained=None``): then the frozen image tower is in it, too, and to download public weights
    would be in vain.

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
