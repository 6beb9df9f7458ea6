"""Image towers of open_clip as backbones, with dense feature extraction."""

from .clip_image_tower import CLIPImageTower, tower_class
from .clip_resnet import CLIPResNet
from .clip_timm_tower import CLIPTimmTower
from .clip_timm_vision_transformer import CLIPTimmVisionTransformer
from .clip_tower import CLIPTower
from .clip_vision_transformer import CLIPVisionTransformer
from .readouts import READOUTS, DenseReadout

__all__ = [
    'CLIPImageTower',
    'CLIPResNet',
    'CLIPTimmTower',
    'CLIPTimmVisionTransformer',
    'CLIPTower',
    'CLIPVisionTransformer',
    'DenseReadout',
    'READOUTS',
    'tower_class',
]
