"""COCO instance annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import write_whole_file

from .components import connected_components
from .exporter import Exporter
from .segmentation_result import SegmentationResult


class COCOExporter(Exporter):
    """Write ``coco.json``: one annotation per connected component, with an RLE mask.

    Category ids count the classes from 1. The annotations of each image are kept in
    ``coco/NAME.json``, from which the file is assembled.
    """

    suffix = '.json'

    @property
    def root(self) -> Path:
        """Folder of the annotations of single images."""
        return self.folder / 'coco'

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return size and annotations of an image as JSON."""
        height, width = result.labels.shape
        annotations = []
        for label, part, (top, left) in connected_components(result.labels, len(self.classes)):
            mask = np.zeros((height, width), np.uint8, order='F')
            mask[top : top + part.shape[0], left : left + part.shape[1]] = part
            rle = coco_mask.encode(mask)
            annotations.append(
                dict(
                    category_id=label + 1,
                    segmentation=dict(size=[height, width], counts=rle['counts'].decode('ascii')),
                    area=int(part.sum()),
                    bbox=[left, top, part.shape[1], part.shape[0]],
                    iscrowd=0,
                )
            )
        image = dict(file_name=name, height=height, width=width)
        return json.dumps(dict(image=image, annotations=annotations)).encode()

    def finish(self, names: Sequence[str]) -> list[Path]:
        """Assemble ``coco.json``, with images and annotations numbered from 1."""
        images, annotations = [], []
        for number, name in enumerate(names, 1):
            part = json.loads(self.path(name).read_bytes())
            images.append(dict(id=number, **part['image']))
            for annotation in part['annotations']:
                number_of_annotation = len(annotations) + 1
                annotations.append(dict(id=number_of_annotation, image_id=number, **annotation))
        categories = [dict(id=i, name=name) for i, name in enumerate(self.classes, 1)]
        content = dict(images=images, annotations=annotations, categories=categories)
        path = self.folder / 'coco.json'
        write_whole_file(path, json.dumps(content).encode())
        return [path]
