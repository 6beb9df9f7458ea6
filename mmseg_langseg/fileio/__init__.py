"""File access that keeps to its folders and never destroys an input; strict JSON."""

from .contained_path import contained_path
from .json_data import parse_json, show_value
from .protect_inputs import check_no_overwrite, check_not_input

__all__ = ['check_no_overwrite', 'check_not_input', 'contained_path', 'parse_json', 'show_value']
