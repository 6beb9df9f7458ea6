"""Verdicts on models from photos without labels: is one better than another?"""

from .evidence import Evidence, region_counts
from .judgment import UNINFORMED, Judgment, chance_of_names
from .mask_crops import crop_masks
from .measure import judge, mean_feature, measure
from .photo import Photo
from .verdict import Verdict, compare, estimated_miou

__all__ = [
    'UNINFORMED',
    'Evidence',
    'Judgment',
    'Photo',
    'Verdict',
    'chance_of_names',
    'compare',
    'crop_masks',
    'estimated_miou',
    'judge',
    'mean_feature',
    'measure',
    'region_counts',
]
