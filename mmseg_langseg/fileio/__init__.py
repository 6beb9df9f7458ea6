"""File access that keeps to its folders and never destroys an input."""

from .contained_path import contained_path
from .protect_inputs import check_not_input

__all__ = ['check_not_input', 'contained_path']
