"""Per-class heat maps."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmseg_langseg.fileio import open_whole_file

from .exporter import Exporter
from .segmentation_result import SegmentationResult

_UNSAFE = set('/\\:*?"<>|%')
_MAX_BYTES = 100
_TEMPORARY = '.heatmaps.'


class HeatMapExporter(Exporter):
    """Write ``heatmaps/NAME/INDEX_CLASS.png``, the probability of each class.

    A pixel holds ``round(255 * probability)``; a palette shows it from dark blue to yellow. The
    folder of an image is named after its file, suffix included, and is written as a whole.
    ``heatmaps.json`` lists the files and their class names.
    """

    suffix = ''
    keep_suffix = True

    @property
    def root(self) -> Path:
        """Folder of the images' folders."""
        return self.folder / 'heatmaps'

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Not available: an image has several files.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError('an image has one heat map per class; use add()')

    def write(self, name: str, result: SegmentationResult) -> None:
        """Write the folder of an image.

        Raises:
            FileExistsError: The folder exists and ``overwrite`` is off.
            ValueError: The result has no probabilities, or not ``(K, H, W)``, where K may leave
                out the last class, that of rejected pixels.
        """
        maps = result.probabilities
        if maps is None:
            raise ValueError(f'{name!r}: heat maps need a result with probabilities.')
        counts = (len(self.classes), len(self.classes) - 1)
        if maps.ndim != 3 or maps.shape[1:] != result.labels.shape or len(maps) not in counts:
            raise ValueError(
                f'{name!r}: probabilities have the shape {maps.shape}; expected '
                f'{(len(self.classes), *result.labels.shape)}, or without the last class.'
            )
        target = self.path(name)
        if not self.overwrite and target.exists():
            raise FileExistsError(f"'{target}' exists; nothing was written.")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=_TEMPORARY, suffix='.tmp'))
        try:
            new = temporary / 'new'
            new.mkdir()
            for index, values in enumerate(maps):
                file = new / heat_map_file_name(index, self.classes[index])
                file.write_bytes(_encode(values))
            if target.exists():
                os.rename(target, temporary / 'old')
            os.rename(new, target)
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(target)) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def assemble(self, names: Sequence[str]) -> list[Path]:
        """Write ``heatmaps.json``, class names by file name, and remove temporary folders."""
        for folder in {self.path(name).parent for name in names}:
            for leftover in folder.glob(f'{_TEMPORARY}*.tmp'):
                shutil.rmtree(leftover, ignore_errors=True)
        files = {heat_map_file_name(i, name): name for i, name in enumerate(self.classes)}
        path = self.folder / 'heatmaps.json'
        with open_whole_file(path, replace=self.overwrite) as file:
            file.write(json.dumps(files, ensure_ascii=False, indent=1).encode())
        return [path]


def heat_map_file_name(index: int, name: str) -> str:
    """Return the file name of a class's heat map, valid on all file systems.

    Characters that file systems do not allow are replaced by ``_``, long names are truncated; the
    index keeps the file names of different classes distinct.
    """
    text = ''.join(
        '_' if c in _UNSAFE or unicodedata.category(c) in ('Cc', 'Cs', 'Zl', 'Zp') else c
        for c in unicodedata.normalize('NFC', name)
    )
    while len(text.encode()) > _MAX_BYTES:
        text = text[:-1]
    return f'{index:03d}_{text}.png'


def draw_heat_map(values: np.ndarray) -> Image.Image:
    """Draw a heat map.

    Args:
        values: ``(H, W)`` floats; values outside 0 to 1 are clipped, NaN is 0.

    Returns:
        8-bit picture of ``round(255 * value)``, with a palette from dark blue to yellow.
    """
    levels = (np.clip(np.nan_to_num(values.astype(np.float32)), 0, 1) * 255).round()
    picture = Image.fromarray(levels.astype(np.uint8))
    palette = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_VIRIDIS)
    picture.putpalette(palette.reshape(256, 3)[:, ::-1].tobytes())
    return picture


def _encode(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    draw_heat_map(values).save(content, format='PNG')
    return content.getvalue()
