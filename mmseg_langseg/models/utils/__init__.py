"""Utilities of the models: mask pooling, segments, teachers, means and feature warping."""

from .frozen_tower import FrozenTower
from .global_means import global_means
from .mask_pooling import bilinear_matrix, mask_pool, slot_in_image
from .momentum_teacher import MomentumTeacher
from .pamr import pamr_affinity, refine_scores
from .resize_rows import resize_rows, source_rows
from .running_mean import RunningMean
from .segments import (
    Segments,
    find_segments,
    located,
    mean_rows,
    region_labels,
    segment_embeddings,
    segment_pixels,
)
from .set_model_vocabulary import check_language_head, set_model_vocabulary
from .similarity import cosine_map
from .warp_features import warp_features

__all__ = [
    'FrozenTower',
    'MomentumTeacher',
    'RunningMean',
    'Segments',
    'bilinear_matrix',
    'check_language_head',
    'cosine_map',
    'find_segments',
    'global_means',
    'located',
    'mask_pool',
    'mean_rows',
    'pamr_affinity',
    'refine_scores',
    'region_labels',
    'resize_rows',
    'segment_embeddings',
    'segment_pixels',
    'set_model_vocabulary',
    'slot_in_image',
    'source_rows',
    'warp_features',
]
