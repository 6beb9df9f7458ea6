"""Folders of images with masks, and what damages them."""

import json

import cv2
import numpy as np
from mmseg.registry import DATASETS
from pycocotools import mask as coco_mask

from mmseg_langseg.masks.formats import write_mask_file

PIPELINE = [
    dict(type='LoadUnlabeledImage'),
    dict(type='LoadUnlabeledMasks'),
    dict(type='PackMaskInputs', mask_size=(20, 30)),
]


def write_sample(root, name, num_masks=2, size=(20, 30), masks='masks', images='images'):
    rng = np.random.default_rng(len(name))
    image = root / images / f'{name}.jpg'
    image.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    bitmaps = np.asfortranarray(rng.integers(0, 2, (*size, num_masks), dtype=np.uint8))
    write_mask_file(root / masks / f'{name}.json', coco_mask.encode(bitmaps), size, f'{name}.jpg')
    return bitmaps


def build(root, **kwargs):
    return DATASETS.build(
        dict(type='UnlabeledMaskDataset', data_root=str(root), pipeline=PIPELINE) | kwargs
    )


def truncate(path, share=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def damage_rle(root, name):
    path = root / f'masks/{name}.json'
    content = json.loads(path.read_text())
    content['annotations'][1]['segmentation']['counts'] += '1'
    path.write_text(json.dumps(content))
