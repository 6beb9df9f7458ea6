"""Reading files as data, and writing only where it is meant."""

from .contained_path import contained_path
from .data_only_loading import data_only_loading
from .protect_inputs import check_not_input
from .read_checkpoint import UnsafeFileError, read_checkpoint
from .torchscript_tensors import is_torchscript, read_torchscript_tensors

__all__ = [
    'UnsafeFileError',
    'check_not_input',
    'contained_path',
    'data_only_loading',
    'is_torchscript',
    'read_checkpoint',
    'read_torchscript_tensors',
]
