"""Data transforms for masks, region maps, augmented views, label maps and corruptions."""

from .augmented_views import AugmentedViews
from .corrupt import Corrupt
from .load_clip_features import LoadCLIPFeatures
from .load_label_map import LoadLabelMap
from .load_mask_proposals import LoadMaskProposals
from .load_region_map import LoadRegionMap
from .load_unlabeled_image import LoadUnlabeledImage
from .load_unlabeled_masks import LoadUnlabeledMasks
from .pack_mask_inputs import PackMaskInputs
from .pack_views import PackViews
from .pixel_index import pixel_index_map
from .random_view import RandomView, view_matrix
from .shortest_edge_resize import ShortestEdgeResize, shortest_edge_size
from .strong_view import StrongView

__all__ = [
    'AugmentedViews',
    'Corrupt',
    'LoadCLIPFeatures',
    'LoadLabelMap',
    'LoadMaskProposals',
    'LoadRegionMap',
    'LoadUnlabeledImage',
    'LoadUnlabeledMasks',
    'PackMaskInputs',
    'PackViews',
    'RandomView',
    'ShortestEdgeResize',
    'StrongView',
    'pixel_index_map',
    'shortest_edge_size',
    'view_matrix',
]
