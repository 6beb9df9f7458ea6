"""Verdicts on models from photos without labels: is one better than another?"""

from .evidence import Evidence, region_counts
from .mask_crops import crop_masks
from .measure import mask_scores, mean_feature, measure
from .photo import Photo
from .verdict import Verdict, compare, estimated_miou

__all__ = [
    'Evidence',
    'Photo',
    'Verdict',
    'compare',
    'crop_masks',
    'estimated_miou',
    'mask_scores',
    'mean_feature',
    'measure',
    'region_counts',
]
