"""YOLO segmentation labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmseg_langseg.fileio import open_whole_file

from .annotation_exporter import AnnotationExporter
from .components import connected_components, split_holes
from .segmentation_result import SegmentationResult

# Readers scale to pixels and then truncate (Ultralytics) or round (supervision).
_OFFSET = 0.25
_MIN_POINTS = 3


class YOLOExporter(AnnotationExporter):
    """Write ``yolo/labels/NAME.txt`` and ``yolo/data.yaml``, the layout of Ultralytics.

    A line holds an index of an annotated class and the polygon of a connected component, in
    fractions of the image size. Vertices are pixels of the component, so that ``cv2.fillPoly``,
    which the readers use, restores it exactly. The format has no holes: a component with holes is
    split into parts. For a training, put the images into ``yolo/images``.
    """

    suffix = '.txt'

    @property
    def root(self) -> Path:
        """Folder of the label files."""
        return self.folder / 'yolo' / 'labels'

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the lines of an image."""
        size = np.array(result.labels.shape[::-1])
        lines = []
        for label, component, (top, left) in connected_components(self.annotated_labels(result)):
            for part, (y, x) in split_holes(component):
                points = (_outline(part) + np.array([left + x, top + y]) + _OFFSET) / size
                values = ' '.join(f'{value:.8f}' for value in points.ravel())
                lines.append(f'{label} {values}\n')
        return ''.join(lines).encode()

    def assemble(self, names: Sequence[str]) -> list[Path]:
        """Write ``data.yaml``, with the class names by index."""
        path = self.folder / 'yolo' / 'data.yaml'
        # A JSON string is a YAML string.
        rows = [f'  {i}: {json.dumps(n, ensure_ascii=False)}' for i, n in enumerate(self.annotated)]
        lines = ['path: .', 'train: images', 'val: images', 'names:', *rows, '']
        with open_whole_file(path, replace=self.overwrite) as file:
            file.write('\n'.join(lines).encode())
        return [path]


def _outline(part: np.ndarray) -> np.ndarray:
    """Return the outline int ``(N, 2)``, x and y, of a part without holes; N is at least 3."""
    contours, _ = cv2.findContours(
        part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    points = contours[0][:, 0]
    # Readers ignore polygons of fewer than three points.
    return np.concatenate([points, *[points[-1:]] * max(0, _MIN_POINTS - len(points))])
