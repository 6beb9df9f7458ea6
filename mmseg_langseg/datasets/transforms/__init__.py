"""Pipeline steps of the unlabelled-mask and the embedded data sets."""

from .load_synthetic_scene import LoadSyntheticScene
from .load_unlabeled_image import LoadUnlabeledImage
from .load_unlabeled_masks import LoadUnlabeledMasks
from .pack_mask_inputs import PackMaskInputs
from .pixel_index import pixel_index_map
from .strong_view import StrongView

__all__ = [
    'LoadSyntheticScene',
    'LoadUnlabeledImage',
    'LoadUnlabeledMasks',
    'PackMaskInputs',
    'StrongView',
    'pixel_index_map',
]
