"""YOLO segmentation labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmseg_langseg.fileio import write_whole_file

from .components import connected_components, split_holes
from .exporter import Exporter
from .segmentation_result import SegmentationResult


class YOLOExporter(Exporter):
    """Write ``yolo/labels/NAME.txt`` and ``yolo/data.yaml``, the layout of Ultralytics.

    A line holds a class index and the polygon of a connected component, in fractions of the image
    size. The format has no holes, so a component with holes is split into parts.
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
        for label, component, (top, left) in connected_components(result.labels, len(self.classes)):
            for part, (y, x) in split_holes(component):
                # Points are pixel centers, as OpenCV's contours are.
                points = (_outline(part) + (left + x, top + y) + 0.5) / size
                lines.append(' '.join([str(label), *(f'{value:.8f}' for value in points.ravel())]))
        return '\n'.join([*lines, '']).encode()

    def finish(self, names: Sequence[str]) -> list[Path]:
        """Write ``data.yaml``, with the class names by index."""
        path = self.folder / 'yolo' / 'data.yaml'
        # A JSON string is a YAML string.
        rows = [f'  {i}: {json.dumps(n, ensure_ascii=False)}' for i, n in enumerate(self.classes)]
        write_whole_file(path, '\n'.join(['path: .', 'names:', *rows, '']).encode())
        return [path]


def _outline(part: np.ndarray) -> np.ndarray:
    """Return the outline ``(N, 2)`` of a part without holes, at least three points (x, y)."""
    contours, _ = cv2.findContours(
        part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    points = contours[0][:, 0]
    # Readers drop polygons of fewer than three points.
    return np.concatenate([points, *[points[-1:]] * max(0, 3 - len(points))])
