"""Mask file formats: SA-1B and COCO JSON, run-length encodings, region maps."""

from .coco import CocoAnnotations, CocoImage, read_coco_annotations
from .coco_rles import instance_rles, panoptic_rles
from .polygons import polygons_to_rle
from .region_files import encode_region_map, read_region_map, write_region_map
from .rle import (
    compress_rle,
    decode_rle,
    encode_masks,
    lookup_rles,
    merge_rles,
    rle_area,
    rle_run_lengths,
)
from .sa1b import (
    encode_mask_file,
    parse_mask_annotations,
    read_mask_annotations,
    read_mask_file,
    write_mask_file,
)

__all__ = [
    'CocoAnnotations',
    'CocoImage',
    'compress_rle',
    'decode_rle',
    'encode_mask_file',
    'encode_masks',
    'encode_region_map',
    'instance_rles',
    'lookup_rles',
    'merge_rles',
    'panoptic_rles',
    'parse_mask_annotations',
    'polygons_to_rle',
    'read_coco_annotations',
    'read_mask_annotations',
    'read_mask_file',
    'read_region_map',
    'rle_area',
    'rle_run_lengths',
    'write_mask_file',
    'write_region_map',
]
