"""CLIP image towers over open_clip, and the dense read-outs of their last block."""

from . import tiny_resnet  # noqa: F401  (registers the embedded CLIP's trunk in timm)
from .clip_resnet import CLIPResNet
from .clip_timm_tower import CLIPTimmTower
from .clip_tower import CLIPTower
from .clip_vision_transformer import CLIPVisionTransformer
from .dense_readouts import READOUTS

__all__ = ['READOUTS', 'CLIPResNet', 'CLIPTimmTower', 'CLIPTower', 'CLIPVisionTransformer']
