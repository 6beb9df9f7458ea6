"""Unlabelled masks: the file format, look-ups in run-length encodings, and generators."""

from .coco import CocoAnnotations, CocoImage, read_coco_annotations
from .coco_rles import instance_rles, panoptic_rles
from .dino import DINOMaskGenerator
from .dino_generator import DINOGenerator
from .errors import (
    BadFileError,
    FeatureFileError,
    ImageFileError,
    MaskFileError,
    raise_machine_fault,
)
from .felzenszwalb import felzenszwalb_regions
from .generation import generate_masks
from .generation_manifest import GenerationManifest
from .generator_factory import GENERATORS, build_generator
from .halving import halve_image, halve_images, halve_masks
from .image_size import MAX_PIXELS, check_size
from .image_sources import IMAGE_SUFFIXES, ImageSource, decode_image, open_image_source
from .kmeans import batched_kmeans
from .mask_filter import MaskFilter
from .mask_generator import MaskGenerator
from .mask_partition import masks_to_regions
from .merge_regions import merge_regions
from .option_checks import check_bool, check_integer, check_number, check_pair
from .own_files import may_replace
from .polygons import polygons_to_rle
from .region_files import read_region_map, write_region_map
from .region_generator import RegionGenerator, regions_to_rles
from .rle import (
    compress_rle,
    decode_rle,
    encode_masks,
    lookup_rles,
    merge_rles,
    rle_area,
    rle_run_lengths,
)
from .sa1b import parse_mask_annotations, read_mask_annotations, read_mask_file, write_mask_file
from .sam_generator import SAMGenerator
from .shard import parse_shard
from .shard_report import ShardReport
from .shard_run import ShardRun
from .slic import slic_regions
from .superpixel_generator import SuperpixelGenerator
from .tar_index import TarIndex
from .whole_file import remove_leftovers, write_whole_file

__all__ = [
    'BadFileError',
    'CocoAnnotations',
    'CocoImage',
    'DINOGenerator',
    'DINOMaskGenerator',
    'FeatureFileError',
    'GENERATORS',
    'GenerationManifest',
    'IMAGE_SUFFIXES',
    'ImageFileError',
    'ImageSource',
    'MAX_PIXELS',
    'MaskFileError',
    'MaskFilter',
    'MaskGenerator',
    'RegionGenerator',
    'SAMGenerator',
    'ShardReport',
    'ShardRun',
    'SuperpixelGenerator',
    'TarIndex',
    'batched_kmeans',
    'build_generator',
    'check_bool',
    'check_integer',
    'check_number',
    'check_pair',
    'check_size',
    'compress_rle',
    'decode_image',
    'decode_rle',
    'encode_masks',
    'felzenszwalb_regions',
    'generate_masks',
    'halve_image',
    'halve_images',
    'halve_masks',
    'instance_rles',
    'lookup_rles',
    'masks_to_regions',
    'may_replace',
    'merge_regions',
    'merge_rles',
    'open_image_source',
    'panoptic_rles',
    'parse_mask_annotations',
    'parse_shard',
    'polygons_to_rle',
    'raise_machine_fault',
    'read_coco_annotations',
    'read_mask_annotations',
    'read_mask_file',
    'read_region_map',
    'regions_to_rles',
    'remove_leftovers',
    'rle_area',
    'rle_run_lengths',
    'slic_regions',
    'write_mask_file',
    'write_region_map',
    'write_whole_file',
]
