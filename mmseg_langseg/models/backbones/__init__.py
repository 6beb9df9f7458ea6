"""CLIP image towers over open_clip, and the dense read-outs of their last block."""

from .clip_resnet import CLIPResNet
from .clip_timm_tower import CLIPTimmTower
from .clip_tower import CLIPTower
from .clip_vision_transformer import CLIPVisionTransformer
from .dense_readouts import READOUTS

__all__ = [
    'CLIPResNet',
    'CLIPTimmTower',
    'CLIPTower',
    'CLIPVisionTransformer',
    'READOUTS',
]
