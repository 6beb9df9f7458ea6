"""Unlabelled masks: the file format, look-ups in run-length encodings, and generators."""

from .dino import DINOMaskGenerator
from .errors import BadFileError, ImageFileError, MaskFileError
from .kmeans import batched_kmeans
from .rle import lookup_rles, rle_run_lengths
from .sa1b import read_mask_file, write_mask_file

__all__ = [
    'BadFileError',
    'DINOMaskGenerator',
    'ImageFileError',
    'MaskFileError',
    'batched_kmeans',
    'lookup_rles',
    'read_mask_file',
    'rle_run_lengths',
    'write_mask_file',
]
