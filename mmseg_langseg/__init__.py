"""Language-driven semantic segmentation without labels: a plugin for MMSegmentation.

Importing the package registers its modules in MMSegmentation's registries and has no other effect:
a config only needs ``custom_imports = dict(imports=['mmseg_langseg'])``.
"""

from ._toolbox import import_toolbox
from .version import __version__

import_toolbox()

from . import datasets, engine, evaluation, masks, models, synthetic  # noqa: E402, F401

__all__ = ['__version__']
