"""Label maps as PNG files with a color palette."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_langseg.fileio import write_whole_file

from .class_colors import class_colors
from .exporter import Exporter
from .segmentation_result import SegmentationResult

_IGNORED = 255


class LabelMapExporter(Exporter):
    """Write ``labels/NAME.png`` and ``classes.txt``, the layout that ``FolderSegDataset`` reads.

    A pixel holds the index of its class in ``classes.txt``. With up to 255 classes the PNGs have 8
    bits and a palette of the class colors, with more 16 bits and no palette.
    """

    @property
    def root(self) -> Path:
        """Folder of the label maps."""
        return self.folder / 'labels'

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the PNG of an image."""
        content = io.BytesIO()
        if len(self.classes) > _IGNORED:
            Image.fromarray(result.labels.astype(np.uint16)).save(content, format='PNG')
        else:
            picture = Image.fromarray(result.labels.astype(np.uint8), mode='P')
            picture.putpalette(class_colors(self.classes).tobytes())
            picture.save(content, format='PNG')
        return content.getvalue()

    def finish(self, names: Sequence[str]) -> list[Path]:
        """Write ``classes.txt``, one class name per line."""
        path = self.folder / 'classes.txt'
        write_whole_file(path, '\n'.join([*self.classes, '']).encode())
        return [path]
