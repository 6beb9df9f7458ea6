"""Language-driven semantic segmentation without labels: a plugin for MMSegmentation.

Importing the package registers its modules in MMSegmentation's registries and has no other effect:
a config only needs ``custom_imports = dict(imports=['mmseg_langseg'])``.
"""

from ._toolbox import import_advice, import_toolbox, is_environment_check
from .version import __version__

if not is_environment_check():
    with import_advice():
        import_toolbox()
        from . import datasets, engine, evaluation, masks, models, synthetic  # noqa: F401

__all__ = ['__version__']
