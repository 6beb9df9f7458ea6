"""Reading files as data, and writing only where it is meant."""

from .contained_path import contained_path
from .data_only_loading import data_only_loading
from .json_data import parse_json, show_value
from .protect_inputs import check_no_overwrite, check_not_input
from .read_checkpoint import UnsafeFileError, read_checkpoint
from .torchscript_tensors import is_torchscript, read_torchscript_tensors

__all__ = [
    'UnsafeFileError',
    'check_no_overwrite',
    'check_not_input',
    'contained_path',
    'data_only_loading',
    'is_torchscript',
    'parse_json',
    'read_checkpoint',
    'read_torchscript_tensors',
    'show_value',
]
