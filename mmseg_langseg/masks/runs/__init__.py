"""Resumable, sharded processing of many images."""

from .generation import generate_masks
from .generation_manifest import GenerationManifest
from .halving import halve_image, halve_images, halve_masks
from .own_files import may_replace
from .shard import parse_shard
from .shard_report import ShardReport
from .shard_run import ShardRun

__all__ = [
    'GenerationManifest',
    'ShardReport',
    'ShardRun',
    'generate_masks',
    'halve_image',
    'halve_images',
    'halve_masks',
    'may_replace',
    'parse_shard',
]
