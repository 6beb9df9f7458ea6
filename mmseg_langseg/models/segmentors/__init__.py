"""Segmentors: the zero-shot language segmentor and the methods that train it."""

from .clips4 import CLIPS4
from .distilled_segmentor import DistilledSegmentor
from .language_segmentor import LanguageSegmentor
from .linear_probe import LinearProbe
from .maskclip_plus import MaskCLIPPlus
from .pixelclip import PixelCLIP

__all__ = [
    'CLIPS4',
    'DistilledSegmentor',
    'LanguageSegmentor',
    'LinearProbe',
    'MaskCLIPPlus',
    'PixelCLIP',
]
