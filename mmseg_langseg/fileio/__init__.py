"""Safe file input and output: images, tar archives, JSON, checkpoints and atomic writes."""

from .check_url import check_url
from .contained_path import contained_path
from .errors import (
    BadFileError,
    FeatureFileError,
    ImageFileError,
    LangSegWarning,
    MaskFileError,
    StorageError,
    raise_machine_fault,
)
from .host_obstacle import host_obstacle
from .image_size import MAX_PIXELS, check_size
from .image_sources import IMAGE_SUFFIXES, ImageSource, decode_image, open_image_source
from .json_data import parse_json, show_value
from .protect_inputs import check_new, check_no_overwrite, check_not_input
from .read_checkpoint import read_checkpoint, trusted_checkpoint
from .remote_tar_backend import RemoteTarBackend
from .remote_tar_index import RemoteTarIndex
from .tar_backend import TarBackend
from .tar_index import TarIndex
from .whole_file import open_whole_file, remove_leftovers, write_whole_file

__all__ = [
    'BadFileError',
    'FeatureFileError',
    'IMAGE_SUFFIXES',
    'ImageFileError',
    'ImageSource',
    'LangSegWarning',
    'MAX_PIXELS',
    'MaskFileError',
    'RemoteTarBackend',
    'RemoteTarIndex',
    'StorageError',
    'TarBackend',
    'TarIndex',
    'check_new',
    'check_no_overwrite',
    'check_not_input',
    'check_size',
    'check_url',
    'contained_path',
    'decode_image',
    'host_obstacle',
    'open_image_source',
    'open_whole_file',
    'parse_json',
    'raise_machine_fault',
    'read_checkpoint',
    'remove_leftovers',
    'show_value',
    'trusted_checkpoint',
    'write_whole_file',
]
