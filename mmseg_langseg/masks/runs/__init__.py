"""Resumable, sharded processing of many images."""

from .generation import generate_masks
from .generation_manifest import GenerationManifest
from .halving import halve_image, halve_images, halve_masks
from .mask_run import MaskRun
from .mask_worker import MaskWorker, read_images
from .own_files import may_replace
from .ray_generation import generate_masks_on_ray
from .shard import parse_shard
from .shard_report import ShardReport
from .shard_run import ShardRun

__all__ = [
    'GenerationManifest',
    'MaskRun',
    'MaskWorker',
    'ShardReport',
    'ShardRun',
    'generate_masks',
    'generate_masks_on_ray',
    'halve_image',
    'halve_images',
    'halve_masks',
    'may_replace',
    'parse_shard',
    'read_images',
]
