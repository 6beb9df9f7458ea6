"""Losses: for each, a function and a registered module that wraps it."""

from .covered_pixel_bce_loss import (
    CoveredPixelBCELoss,
    covered_pixel_bce,
    global_mean,
    summed_bce,
)
from .embedding_consistency_loss import EmbeddingConsistencyLoss, embedding_consistency
from .gather_rows import gather_rows
from .pixel_segment_contrast_loss import PixelSegmentContrastLoss, pixel_segment_contrast
from .semantic_consistency_loss import (
    SemanticConsistencyLoss,
    decide_classes,
    semantic_consistency,
    smooth,
)
from .sum_in_parts import sum_in_parts

__all__ = [
    'CoveredPixelBCELoss',
    'EmbeddingConsistencyLoss',
    'PixelSegmentContrastLoss',
    'SemanticConsistencyLoss',
    'covered_pixel_bce',
    'decide_classes',
    'embedding_consistency',
    'gather_rows',
    'global_mean',
    'pixel_segment_contrast',
    'semantic_consistency',
    'smooth',
    'sum_in_parts',
    'summed_bce',
]
