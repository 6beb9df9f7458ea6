"""Bundled synthetic dataset: rendered scenes, synonyms and the trunk of the small CLIP."""

from . import tiny_resnet  # noqa: F401  (registers the trunk of the tiny CLIP in timm)
from .load_synthetic_scene import LoadSyntheticScene
from .scenes import SyntheticScenesDataset

__all__ = [
    'LoadSyntheticScene',
    'SyntheticScenesDataset',
]
