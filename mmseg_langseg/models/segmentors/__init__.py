"""Segmentors: the zero-shot language segmentor and the methods that train it."""

from .class_logits import ClassLogits
from .clips4 import CLIPS4
from .compute_logits import compute_logits
from .distilled_segmentor import DistilledSegmentor
from .language_segmentor import LanguageSegmentor
from .language_tta_model import LanguageTTAModel
from .linear_probe import LinearProbe
from .mask_classification import classify_masks
from .maskclip_plus import MaskCLIPPlus
from .pixel_features import PixelFeatures
from .pixel_logits import PixelLogits, Window, window_boxes
from .pixel_prediction import PixelPrediction, predict_labels, predict_pixels
from .pixelclip import PixelCLIP
from .refined_logits import RefinedLogits
from .tiled_logits import TiledLogits

__all__ = [
    'CLIPS4',
    'ClassLogits',
    'DistilledSegmentor',
    'LanguageSegmentor',
    'LanguageTTAModel',
    'LinearProbe',
    'MaskCLIPPlus',
    'PixelCLIP',
    'PixelFeatures',
    'PixelLogits',
    'PixelPrediction',
    'RefinedLogits',
    'TiledLogits',
    'Window',
    'classify_masks',
    'compute_logits',
    'predict_labels',
    'predict_pixels',
    'window_boxes',
]
