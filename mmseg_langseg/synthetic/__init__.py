"""The bundled synthetic dataset: scenes, words and the tiny CLIP tower."""

from . import tiny_resnet  # noqa: F401  (registers the trunk of the tiny CLIP in timm)
from .load_synthetic_scene import LoadSyntheticScene
from .scenes import SyntheticScenesDataset

__all__ = [
    'LoadSyntheticScene',
    'SyntheticScenesDataset',
]
