"""The image tower of any image-text model, by the name of the model."""

from __future__ import annotations

import timm
import torch
from mmseg.registry import MODELS

from mmseg_langseg.models.clip_arch import arch_config

from .clip_resnet import CLIPResNet
from .clip_timm_tower import CLIPTimmTower
from .clip_timm_vision_transformer import CLIPTimmVisionTransformer
from .clip_tower import CLIPTower
from .clip_vision_transformer import CLIPVisionTransformer


@MODELS.register_module()
def CLIPImageTower(arch: str | dict, **options) -> CLIPTower:  # noqa: N802 (a type in configs)
    """Build the dense image tower of a model, with the class that its architecture needs.

    With this ``type``, a config works for any model of open_clip by naming another one.

    Args:
        arch: See :class:`CLIPTower`.
        **options: See :class:`CLIPVisionTransformer`, :class:`CLIPTimmVisionTransformer`,
            :class:`CLIPTimmTower` and :class:`CLIPResNet`. ``readout`` is for ViTs only, and each
            class has its own default.

    Raises:
        ValueError: If an option is for another kind of tower, or the dense features of the
            architecture are unknown.
    """
    tower = tower_class(arch)
    if 'readout' in options and tower in (CLIPTimmTower, CLIPResNet):
        raise ValueError(
            f'readout={options["readout"]!r} is for ViTs, and {arch!r} has a convolutional tower, '
            'whose pixels go through its projection: remove readout.'
        )
    if 'with_cp' in options and tower is CLIPResNet:
        raise ValueError(
            f"with_cp={options['with_cp']!r} is for the other towers, and {arch!r} has open_clip's "
            'ResNet, which has no activation checkpointing: remove with_cp.'
        )
    return tower(arch, **options)


def tower_class(arch: str | dict) -> type[CLIPTower]:
    """Return the class of the dense image tower of an architecture.

    Raises:
        ValueError: If its dense features are unknown.
    """
    vision = arch_config(arch)['vision_cfg']
    name = vision.get('timm_model_name')
    if name is None:
        is_resnet = isinstance(vision.get('layers'), (tuple, list))
        return CLIPResNet if is_resnet else CLIPVisionTransformer
    try:
        with torch.device('meta'):  # without memory for its weights
            trunk = timm.create_model(name)
    except (NotImplementedError, RuntimeError):  # not possible for some models of older versions
        trunk = timm.create_model(name)
    is_vit = hasattr(trunk, 'num_prefix_tokens')
    tower = CLIPTimmVisionTransformer if is_vit else CLIPTimmTower
    tower.check_trunk(trunk, arch)
    return tower
