"""Data sets that MMSegmentation lacks, and their pipeline steps."""

from .folder_seg_dataset import FolderSegDataset
from .pascal_voc20 import PascalVOC20Dataset
from .synthetic_scenes import SyntheticScenesDataset
from .transforms import (
    LoadSyntheticScene,
    LoadUnlabeledImage,
    LoadUnlabeledMasks,
    PackMaskInputs,
    StrongView,
    pixel_index_map,
)
from .unlabeled_mask_dataset import UnlabeledMaskDataset

__all__ = [
    'FolderSegDataset',
    'LoadSyntheticScene',
    'LoadUnlabeledImage',
    'LoadUnlabeledMasks',
    'PackMaskInputs',
    'PascalVOC20Dataset',
    'StrongView',
    'SyntheticScenesDataset',
    'UnlabeledMaskDataset',
    'pixel_index_map',
]
