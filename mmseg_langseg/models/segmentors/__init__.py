"""Segmentors: the zero-shot language segmentor and the methods that train it."""

from .clips4 import CLIPS4
from .distilled_segmentor import DistilledSegmentor
from .language_segmentor import LanguageSegmentor
from .language_tta_model import LanguageTTAModel
from .linear_probe import LinearProbe
from .maskclip_plus import MaskCLIPPlus
from .pixel_logits import PixelLogits, Window, compute_pixel_logits, window_boxes
from .pixel_prediction import PixelPrediction, predict_labels, predict_pixels
from .pixelclip import PixelCLIP
from .tiled_logits import TiledLogits

__all__ = [
    'CLIPS4',
    'DistilledSegmentor',
    'LanguageSegmentor',
    'LanguageTTAModel',
    'LinearProbe',
    'MaskCLIPPlus',
    'PixelCLIP',
    'PixelLogits',
    'PixelPrediction',
    'TiledLogits',
    'Window',
    'compute_pixel_logits',
    'predict_labels',
    'predict_pixels',
    'window_boxes',
]
