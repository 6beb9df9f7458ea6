"""Language-driven segmentation without labels, as a plugin of MMSegmentation.

Importing the package registers everything in MMSegmentation's registries and does nothing else:
``custom_imports = dict(imports=['mmseg_langseg'])`` in a config is all that is needed.
"""

from ._toolbox import import_toolbox
from .version import __version__

import_toolbox()

from . import datasets, engine, evaluation, masks, models, synthetic  # noqa: E402, F401

__all__ = ['__version__']
