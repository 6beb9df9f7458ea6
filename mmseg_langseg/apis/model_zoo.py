"""Short names of models for the inferencer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from torch import nn

from mmseg_langseg.fileio import LangSegWarning
from mmseg_langseg.models.clip_arch import is_stored

from .resources import resource_folder


@dataclass(frozen=True)
class ZooModel:
    """Model with a short name.

    Attributes:
        config: Config file, relative to ``configs/``.
        description: Method and tower.
        parameters: Parameters of image and text tower together, in millions.
        download: CLIP weights that are downloaded on first use; empty if none.
        is_trained: Whether it needs a trained checkpoint.
    """

    config: str
    description: str
    parameters: float
    download: str = ''
    is_trained: bool = False


_VIT_B16 = 'OpenAI ViT-B/16'
_CONVNEXT_B = 'LAION ConvNeXt-B'
MODELS = {
    'embedded': ZooModel(
        'pixelclip/resnet_synthetic.py', 'bundled tiny CLIP, knows only rendered shapes', 3.8
    ),
    'clip-vit-b16': ZooModel(
        'pixelclip/vit-b16_coco.py', 'zero-shot CLIP, ViT-B/16', 149.6, _VIT_B16
    ),
    'clip-convnext-b': ZooModel(
        'pixelclip/convnext-b_coco.py', 'zero-shot CLIP, ConvNeXt-B', 179.4, _CONVNEXT_B
    ),
    'maskclip-vit-b16': ZooModel('maskclip/vit-b16.py', 'MaskCLIP, ViT-B/16', 149.6, _VIT_B16),
    'maskclip-rn50': ZooModel('maskclip/rn50.py', 'MaskCLIP, ResNet-50', 102.0, 'OpenAI ResNet-50'),
    'siglip2-b16': ZooModel(
        'maskclip/siglip2-b16.py', 'SigLIP 2, ViT-B/16', 375.2, 'SigLIP 2 ViT-B/16'
    ),
    'pe-core-b16': ZooModel('maskclip/pe-core-b16.py', 'PE, ViT-B/16', 447.7, 'PE-Core-B/16'),
    'sclip-vit-b16': ZooModel('sclip/vit-b16.py', 'SCLIP, ViT-B/16', 149.6, _VIT_B16),
    'clearclip-vit-b16': ZooModel('clearclip/vit-b16.py', 'ClearCLIP, ViT-B/16', 149.6, _VIT_B16),
    'naclip-vit-b16': ZooModel('naclip/vit-b16.py', 'NACLIP, ViT-B/16', 149.6, _VIT_B16),
    'pixelclip-vit-b16': ZooModel(
        'pixelclip/vit-b16_coco.py', 'PixelCLIP, ViT-B/16', 149.6, _VIT_B16, is_trained=True
    ),
    'pixelclip-convnext-b': ZooModel(
        'pixelclip/convnext-b_coco.py', 'PixelCLIP, ConvNeXt-B', 179.4, _CONVNEXT_B, is_trained=True
    ),
}
"""Models by short name."""

PHOTO_CONFIGS = {
    'embedded': 'pixelclip/resnet_synthetic_photos.py',
    'clip-vit-b16': 'pixelclip/vit-b16_photos.py',
    'siglip2-b16': 'pixelclip/siglip2-b16_photos.py',
    'mobileclip2-s2': 'pixelclip/mobileclip2-s2_photos.py',
}
"""Configs that train a model on photos without labels, relative to ``configs/``, by short name."""


def list_models() -> str:
    """Return a table of the models with short names: what they are, size, and downloads."""
    rows = [('model', 'what', 'parameters', 'downloads on first use', 'checkpoint')]
    for name, model in MODELS.items():
        checkpoint = 'needed' if model.is_trained else 'optional'
        size = f'{model.parameters} M'
        rows.append((name, model.description, size, model.download or 'nothing', checkpoint))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ('  '.join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return '\n'.join(lines)


def model_config(model: str, weights: str | None) -> str:
    """Return the config file of a short name; any other string is returned unchanged.

    Raises:
        ValueError: The model needs a trained checkpoint, and ``weights`` is None.
    """
    if model not in MODELS:
        return model
    entry = MODELS[model]
    if entry.is_trained and weights is None:
        raise ValueError(
            f'The model {model!r} needs a trained checkpoint: give yours (--weights FILE), or '
            'convert an official one with tools/model_converters/pixelclip2mmseg.py. Without '
            f'training, use {model.replace("pixelclip", "clip")!r}.'
        )
    return untrained_config(model)


def untrained_config(model: str) -> str:
    """Return the config file of a short name, also if the model needs a trained checkpoint."""
    if model not in MODELS:
        return model
    return str(resource_folder('configs') / MODELS[model].config)


def photo_config(model: str) -> str:
    """Return the config that trains a model on photos; a config file is returned unchanged.

    Raises:
        ValueError: The model with this short name has no such config.
    """
    if model in PHOTO_CONFIGS:
        return str(resource_folder('configs') / PHOTO_CONFIGS[model])
    if model in MODELS:
        raise ValueError(
            f'The model {model!r} has no config for training on photos; choose one of '
            f'{", ".join(PHOTO_CONFIGS)}, or give a config file.'
        )
    return model


def warn_of_small_clip(text_encoder: nn.Module) -> None:
    """Warn that a CLIP of the bundled kind is not for photos.

    Args:
        text_encoder: Text encoder of the model.
    """
    if getattr(text_encoder, 'trained_token_ids', None) is not None:
        warnings.warn(
            f"The small CLIP '{text_encoder.pretrained}' knows only shapes and textures of "
            'rendered scenes: results on photos are meaningless. For photos, add --model '
            'clip-vit-b16 to langseg, or use the config pixelclip/vit-b16_coco: this downloads a '
            'pretrained CLIP.',
            LangSegWarning,
            stacklevel=3,
        )


def warn_of_random_clip(text_encoder: nn.Module, weights: str | None) -> None:
    """Warn if a public image-text model was built without its weights.

    Args:
        text_encoder: Text encoder of the model.
        weights: Checkpoint that was loaded, which holds random weights that were trained from.
    """
    arch = getattr(text_encoder, 'arch', None)
    if weights is not None or not isinstance(arch, str) or text_encoder.pretrained is not None:
        return
    remedy = repr(arch) if is_stored(arch) else "a tag of open_clip, as 'openai', or a file"
    warnings.warn(
        f'The image-text model {arch!r} has random weights, as pretrained=None: results are '
        f'meaningless. Set model.clip.pretrained to {remedy}.',
        LangSegWarning,
        stacklevel=3,
    )
