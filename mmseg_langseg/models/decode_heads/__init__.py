"""Heads: the language classifier and the training heads on top of it."""

from .language_head import LanguageHead
from .mask_decoder import MaskDecoder
from .pixelclip_head import PixelCLIPHead, cluster_targets

__all__ = ['LanguageHead', 'MaskDecoder', 'PixelCLIPHead', 'cluster_targets']
