"""Datasets that MMSegmentation lacks, and their transforms."""

from .ade20k_847 import ADE20K847Dataset
from .coco_object import COCOObjectDataset
from .coco_stuff27 import COCOStuff27Dataset
from .folder_seg_dataset import FolderSegDataset
from .label_check import check_labels, dataset_parts
from .label_files import LabelFileError
from .pascal_context459 import PascalContext459Dataset
from .pascal_voc20 import PascalVOC20Dataset
from .seeded_infinite_sampler import SeededInfiniteSampler
from .shard_shuffle_sampler import ShardShuffleSampler
from .transforms import (
    AugmentedViews,
    Corrupt,
    LoadCLIPFeatures,
    LoadLabelMap,
    LoadMaskProposals,
    LoadRegionMap,
    LoadUnlabeledImage,
    LoadUnlabeledMasks,
    PackMaskInputs,
    PackViews,
    RandomView,
    ShortestEdgeResize,
    StrongView,
    pixel_index_map,
    shortest_edge_size,
    view_matrix,
)
from .unlabeled_mask_dataset import UnlabeledMaskDataset

__all__ = [
    'ADE20K847Dataset',
    'AugmentedViews',
    'COCOObjectDataset',
    'COCOStuff27Dataset',
    'Corrupt',
    'FolderSegDataset',
    'LabelFileError',
    'LoadCLIPFeatures',
    'LoadLabelMap',
    'LoadMaskProposals',
    'LoadRegionMap',
    'LoadUnlabeledImage',
    'LoadUnlabeledMasks',
    'PackMaskInputs',
    'PackViews',
    'PascalContext459Dataset',
    'PascalVOC20Dataset',
    'RandomView',
    'SeededInfiniteSampler',
    'ShardShuffleSampler',
    'ShortestEdgeResize',
    'StrongView',
    'UnlabeledMaskDataset',
    'check_labels',
    'dataset_parts',
    'pixel_index_map',
    'shortest_edge_size',
    'view_matrix',
]
