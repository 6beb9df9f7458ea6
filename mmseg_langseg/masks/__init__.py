"""Class-agnostic masks: file formats, generators and processing of many images."""

from . import formats, generators, runs
from .mask_filter import MaskFilter
from .mask_partition import masks_to_regions
from .option_checks import check_bool, check_integer, check_number, check_pair

__all__ = [
    'MaskFilter',
    'check_bool',
    'check_integer',
    'check_number',
    'check_pair',
    'formats',
    'generators',
    'masks_to_regions',
    'runs',
]
