"""Load checkpoints, without a download of pretrained weights if they hold the whole model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmseg.registry import MODELS
from torch import nn

from mmseg_langseg.engine.checkpoint_fit import check_checkpoint_fit
from mmseg_langseg.engine.image_text_model import check_image_text_model
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


def build_model(cfg: Config, weights: str | None) -> nn.Module:
    """Build the model of a config with the weights of a checkpoint.

    Args:
        cfg: Config with ``model``; its public weights are not loaded if the checkpoint has all.
        weights: Checkpoint file, or None.

    Raises:
        ValueError: If the weights are damaged, hold code, or belong to another model.
    """
    if weights is None:
        return MODELS.build(cfg.model)
    checkpoint = CheckpointLoader.load_checkpoint(weights, map_location='cpu', logger='silent')
    if isinstance(checkpoint, Mapping):
        skip_public_weights(cfg.model, checkpoint.get('state_dict', checkpoint))
    model = MODELS.build(cfg.model)
    check_checkpoint_fit(model, checkpoint, weights, trained=True)
    check_image_text_model(model, checkpoint, weights)
    _load_checkpoint_to_model(model, checkpoint)
    return model


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
