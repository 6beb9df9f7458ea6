"""Label maps as PNG files with a color palette."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmseg_langseg.fileio import open_whole_file

from .class_colors import class_colors
from .exporter import Exporter
from .label_png import encode_label_png
from .segmentation_result import SegmentationResult

_IGNORED = 255


class LabelMapExporter(Exporter):
    """Write ``labels/NAME.png`` and ``classes.txt``, the layout that ``FolderSegDataset`` reads.

    A pixel holds the index of its class in ``classes.txt``, the class of rejected pixels included.
    With up to 255 classes the PNGs have 8 bits and a palette of the class colors, with more 16 bits
    and no palette. The largest value is never used, since datasets ignore it.

    Raises:
        ValueError: See :class:`Exporter`, or there are more than 65535 classes.
    """

    def __init__(
        self, folder: str | os.PathLike, classes: Sequence[str], overwrite: bool = False
    ) -> None:
        super().__init__(folder, classes, overwrite)
        if len(self.classes) > np.iinfo(np.uint16).max:
            raise ValueError(f'{len(self.classes)} classes; 16 bits hold at most 65535.')
        self._palette = class_colors(self.classes)

    @property
    def root(self) -> Path:
        """Folder of the label maps."""
        return self.folder / 'labels'

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the PNG of an image."""
        if len(self.classes) > _IGNORED:
            return encode_label_png(result.labels.astype(np.uint16))
        return encode_label_png(result.labels.astype(np.uint8), self._palette)

    def assemble(self, names: Sequence[str]) -> list[Path]:
        """Write ``classes.txt``, one class name per line."""
        path = self.folder / 'classes.txt'
        with open_whole_file(path, replace=self.overwrite) as file:
            file.write('\n'.join([*self.classes, '']).encode())
        return [path]
