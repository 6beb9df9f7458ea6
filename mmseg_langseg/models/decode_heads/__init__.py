"""Decode heads: the zero-shot language head and the training heads that extend it."""

from .clips4_head import CLIPS4Head
from .embedding_head import EmbeddingHead
from .language_head import LanguageHead
from .mask_decoder import MaskDecoder
from .maskclip_head import MaskCLIPHead
from .maskclip_plus_head import MaskCLIPPlusHead
from .pixelclip_head import PixelCLIPHead, union_of_masks

__all__ = [
    'CLIPS4Head',
    'EmbeddingHead',
    'LanguageHead',
    'MaskCLIPHead',
    'MaskCLIPPlusHead',
    'MaskDecoder',
    'PixelCLIPHead',
    'union_of_masks',
]
