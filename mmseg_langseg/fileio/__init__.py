"""Reading files as data, and writing only where it is meant."""

from .contained_path import contained_path
from .json_data import parse_json, show_value
from .protect_inputs import check_no_overwrite, check_not_input
from .read_checkpoint import read_checkpoint, trusted_checkpoint

__all__ = [
    'check_no_overwrite',
    'check_not_input',
    'contained_path',
    'parse_json',
    'read_checkpoint',
    'show_value',
    'trusted_checkpoint',
]
