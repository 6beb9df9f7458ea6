"""Stand-ins for libraries that the model of the official PixelCLIP imports but does not need."""

import importlib.util
import sys
from types import ModuleType
from typing import Any

import torch
from torch import Tensor


class _Registry:
    """Registry whose decorator returns the class."""

    def register(self) -> Any:
        return _unchanged


class _ImageList:
    """Batch of images of one size."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @classmethod
    def from_tensors(cls, images: list[Tensor]) -> '_ImageList':
        return cls(torch.stack(images))


def _unchanged(decorated: Any) -> Any:
    return decorated


# The modules and names that the code of the model imports. None: imported, but not used in training
# with masks.
_STAND_INS: dict[str, dict[str, Any]] = {
    'detectron2.config': {'CfgNode': None, 'configurable': _unchanged},
    'detectron2.data': {'MetadataCatalog': None},
    'detectron2.layers': {'Conv2d': None, 'ShapeSpec': None, 'get_norm': None},
    'detectron2.modeling': {
        'META_ARCH_REGISTRY': _Registry(),
        'SEM_SEG_HEADS_REGISTRY': _Registry(),
        'build_sem_seg_head': None,
    },
    'detectron2.modeling.postprocessing': {'sem_seg_postprocess': None},
    'detectron2.structures': {'ImageList': _ImageList, 'Instances': None},
    'einops': {'rearrange': None},
    'fast_pytorch_kmeans': {'KMeans': None},
    'fvcore.nn.weight_init': {},
}


def provide_stand_ins() -> list[str]:
    """Put stand-ins for the libraries that are not installed into ``sys.modules``.

    Returns:
        Names of these libraries.
    """
    libraries = dict.fromkeys(name.split('.')[0] for name in _STAND_INS)
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    for name, content in _STAND_INS.items():
        if name.split('.')[0] in missing:
            vars(_module(name)).update(content)
    return missing


def _module(name: str) -> ModuleType:
    """Return an empty package in ``sys.modules``, made with those above it if it is not there."""
    if name not in sys.modules:
        module = sys.modules[name] = ModuleType(name)
        module.__path__ = []
        parent, _, leaf = name.rpartition('.')
        if parent:
            setattr(_module(parent), leaf, module)
    return sys.modules[name]
