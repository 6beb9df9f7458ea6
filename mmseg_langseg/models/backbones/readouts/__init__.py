"""Dense read-outs of ViTs; a new file in this folder is found without listing it here."""

from importlib import import_module
from pkgutil import iter_modules

from .dense_readout import READOUTS, DenseReadout, build_readout

for _module in iter_modules(__path__):
    import_module(f'{__name__}.{_module.name}')

__all__ = ['READOUTS', 'DenseReadout', 'build_readout']
