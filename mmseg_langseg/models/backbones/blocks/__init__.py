"""Transformer blocks of image towers, as dense read-outs use them."""

from .attention_block import AttentionBlock
from .open_clip_block import OpenCLIPBlock
from .timm_block import TimmBlock

__all__ = ['AttentionBlock', 'OpenCLIPBlock', 'TimmBlock']
