"""Segmentors: the language segmentor and the methods that train it."""

from .language_segmentor import LanguageSegmentor
from .pixelclip import PixelCLIP

__all__ = ['LanguageSegmentor', 'PixelCLIP']
