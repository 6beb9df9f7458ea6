"""Mask generators: SAM, DINO and superpixels."""

from .dino import DINOMaskGenerator
from .dino_generator import DINOGenerator
from .felzenszwalb import felzenszwalb_regions
from .generator_factory import GENERATORS, build_generator
from .mask_generator import MaskGenerator
from .merge_regions import merge_regions
from .region_generator import RegionGenerator, regions_to_rles
from .sam_generator import SAMGenerator
from .slic import slic_regions
from .superpixel_generator import SuperpixelGenerator

__all__ = [
    'DINOGenerator',
    'DINOMaskGenerator',
    'GENERATORS',
    'MaskGenerator',
    'RegionGenerator',
    'SAMGenerator',
    'SuperpixelGenerator',
    'build_generator',
    'felzenszwalb_regions',
    'merge_regions',
    'regions_to_rles',
    'slic_regions',
]
