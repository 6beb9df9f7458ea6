"""COCO instance annotations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import open_whole_file

from .annotation_exporter import AnnotationExporter
from .components import connected_components
from .segmentation_result import SegmentationResult


class COCOExporter(AnnotationExporter):
    """Write ``coco.json``: one annotation per 8-connected component, with an RLE mask.

    Category ids count the annotated classes from 1, image and annotation ids follow the order of
    the images. ``coco_parts/NAME.json`` has the annotations of each image, from which
    :meth:`Exporter.finish` assembles the file; the folder is not needed afterwards.
    """

    suffix = '.json'
    keep_suffix = True

    @property
    def root(self) -> Path:
        """Folder of the annotations of single images."""
        return self.folder / 'coco_parts'

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return size and annotations of an image as JSON."""
        size = result.labels.shape
        annotations = [
            dict(
                category_id=label + 1,
                segmentation=_encode_rle(part, corner, size),
                area=int(part.sum()),
                bbox=[corner[1], corner[0], part.shape[1], part.shape[0]],
                iscrowd=0,
            )
            for label, part, corner in connected_components(self.annotated_labels(result))
        ]
        image = dict(file_name=name, height=size[0], width=size[1])
        return json.dumps(dict(image=image, annotations=annotations)).encode()

    def assemble(self, names: Sequence[str]) -> list[Path]:
        """Write ``coco.json`` image by image."""
        path = self.folder / 'coco.json'
        categories = [
            dict(id=number, name=name, supercategory='')
            for number, name in enumerate(self.annotated, 1)
        ]
        with open_whole_file(path, replace=self.overwrite) as file:
            file.write(b'{"info": {"description": "mmseg_langseg"}, "licenses": [],\n')
            file.write(b'"categories": ' + json.dumps(categories).encode() + b',\n"images": [')
            _write_items(file, self._images(names))
            file.write(b'],\n"annotations": [')
            _write_items(file, self._annotations(names))
            file.write(b']}\n')
        return [path]

    def _images(self, names: Sequence[str]) -> Iterator[dict]:
        for number, name in enumerate(names, 1):
            yield dict(id=number, **json.loads(self.path(name).read_bytes())['image'])

    def _annotations(self, names: Sequence[str]) -> Iterator[dict]:
        count = 0
        for number, name in enumerate(names, 1):
            for annotation in json.loads(self.path(name).read_bytes())['annotations']:
                count += 1
                yield dict(id=count, image_id=number, **annotation)


def _write_items(file: BinaryIO, items: Iterator[dict]) -> None:
    separator = b'\n'
    for item in items:
        file.write(separator + json.dumps(item).encode())
        separator = b',\n'


def _encode_rle(part: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> dict:
    """Return the compressed RLE of a component, at the cost of its bounding box only."""
    (top, left), (height, width) = corner, size
    # Runs of each column begin and end within it.
    columns = np.pad(part.T.astype(np.int8), ((0, 0), (1, 1)))
    column, row = np.nonzero(np.diff(columns, axis=1))
    bounds = (column + left) * height + row + top
    # Runs that continue in the next column are joined.
    bounds = bounds.reshape(-1, 2)
    joined = bounds[1:, 0] == bounds[:-1, 1]
    bounds = np.stack(
        [bounds[np.r_[True, ~joined], 0], bounds[np.r_[~joined, True], 1]], axis=1
    ).ravel()
    counts = np.diff(bounds, prepend=0, append=height * width)
    if counts[-1] == 0:
        counts = counts[:-1]
    uncompressed = dict(size=[height, width], counts=counts.tolist())
    rle = coco_mask.frPyObjects(uncompressed, height, width)
    return dict(size=[height, width], counts=rle['counts'].decode('ascii'))
