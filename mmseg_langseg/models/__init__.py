"""Models: CLIP towers, text encoders, decode heads, clusterers, losses and segmentors."""

from .backbones import CLIPResNet, CLIPTimmTower, CLIPVisionTransformer
from .clip_loader import load_clip
from .clusterers import ArgmaxClusterer, SinkhornClusterer
from .data_preprocessor import CLIPDataPreProcessor
from .decode_heads import LanguageHead, PixelCLIPHead
from .losses import CoveredPixelBCELoss
from .segmentors import LanguageSegmentor, PixelCLIP
from .text_encoders import ClassPrompts, FixedNames, FreeCentroids, OpenCLIPTextEncoder, Vocabulary

__all__ = [
    'ArgmaxClusterer',
    'CLIPDataPreProcessor',
    'CLIPResNet',
    'CLIPTimmTower',
    'CLIPVisionTransformer',
    'ClassPrompts',
    'CoveredPixelBCELoss',
    'FixedNames',
    'FreeCentroids',
    'LanguageHead',
    'LanguageSegmentor',
    'OpenCLIPTextEncoder',
    'PixelCLIP',
    'PixelCLIPHead',
    'SinkhornClusterer',
    'Vocabulary',
    'load_clip',
]
