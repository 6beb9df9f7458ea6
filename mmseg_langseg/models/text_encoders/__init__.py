"""Words: vocabularies, templates, CLIP's text tower, and what masks are clustered onto."""

from .class_prompts import ClassPrompts
from .fixed_names import FixedNames
from .free_centroids import FreeCentroids
from .open_clip_text_encoder import OpenCLIPTextEncoder
from .templates import get_templates
from .vocabulary import Vocabulary

__all__ = [
    'ClassPrompts',
    'FixedNames',
    'FreeCentroids',
    'OpenCLIPTextEncoder',
    'Vocabulary',
    'get_templates',
]
