"""Vocabularies, prompt templates, CLIP's text encoder, and cluster centers in the joint space."""

from .class_prompts import ClassPrompts
from .fixed_names import FixedNames
from .free_centroids import FreeCentroids
from .open_clip_text_encoder import OpenCLIPTextEncoder
from .templates import get_templates
from .vocabulary import Vocabulary
from .word_warnings import WordWarning

__all__ = [
    'ClassPrompts',
    'FixedNames',
    'FreeCentroids',
    'OpenCLIPTextEncoder',
    'Vocabulary',
    'WordWarning',
    'get_templates',
]
