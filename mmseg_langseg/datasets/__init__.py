"""Data sets that MMSegmentation lacks, and their pipeline steps."""

from .folder_seg_dataset import FolderSegDataset
from .pascal_voc20 import PascalVOC20Dataset
from .synthetic_scenes import SyntheticScenesDataset
from .transforms import (
    AugmentedViews,
    LoadCLIPFeatures,
    LoadRegionMap,
    LoadSyntheticScene,
    LoadUnlabeledImage,
    LoadUnlabeledMasks,
    PackMaskInputs,
    PackViews,
    RandomView,
    StrongView,
    pixel_index_map,
    view_matrix,
)
from .unlabeled_mask_dataset import UnlabeledMaskDataset

__all__ = [
    'AugmentedViews',
    'FolderSegDataset',
    'LoadCLIPFeatures',
    'LoadRegionMap',
    'LoadSyntheticScene',
    'LoadUnlabeledImage',
    'LoadUnlabeledMasks',
    'PackMaskInputs',
    'PackViews',
    'PascalVOC20Dataset',
    'RandomView',
    'StrongView',
    'SyntheticScenesDataset',
    'UnlabeledMaskDataset',
    'pixel_index_map',
    'view_matrix',
]
