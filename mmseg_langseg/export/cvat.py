"""CVAT's format "Segmentation mask 1.1"."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_langseg.fileio import open_whole_file

from .annotation_exporter import AnnotationExporter
from .class_colors import class_colors
from .segmentation_result import SegmentationResult

_BACKGROUND = 'background'


class CVATExporter(AnnotationExporter):
    """Write ``cvat.zip``, which CVAT imports as "Segmentation mask 1.1".

    The zip holds ``labelmap.txt`` with the class colors, an RGB PNG per image in
    ``SegmentationClass``, and the list of images. Skipped classes, and one named ``background``,
    are black, which CVAT does not annotate. ``cvat_parts`` has the PNGs, from which :meth:`finish`
    assembles the zip; the folder is not needed afterwards. The project in CVAT must have labels of
    these names.

    Datumaro, which CVAT uses, also writes the format, but depends on pandas, PyArrow and a second
    build of OpenCV, which is too much for three kinds of simple files.

    Args:
        folder: Folder to write to.
        classes: Class names; the label map cannot hold one with ``:`` or an initial ``#``.
        overwrite: Replace files that exist.
        skip: Classes that are background.

    Raises:
        ValueError: See :class:`AnnotationExporter`, or the label map cannot hold a class name.
    """

    def __init__(
        self, folder, classes: Sequence[str], overwrite: bool = False, skip=('other',)
    ) -> None:
        super().__init__(folder, classes, overwrite, skip)
        for name in self.annotated:
            if ':' in name or name.startswith('#') or name != name.strip():
                raise ValueError(
                    f"CVAT's label map cannot hold the class name {name!r}; rename it without ':', "
                    "an initial '#', and spaces at its ends."
                )
        self._colors = class_colors(self.annotated)
        if _BACKGROUND in self.annotated:
            self._colors[self.annotated.index(_BACKGROUND)] = 0

    @property
    def root(self) -> Path:
        """Folder of the color images."""
        return self.folder / 'cvat_parts'

    def path(self, name: str) -> Path:
        """Return the file of an image.

        Raises:
            ValueError: The name is not valid, or contains a double quote or line break, which the
                list of images cannot hold.
        """
        if '"' in name or len(name.splitlines()) > 1:
            raise ValueError(
                f"CVAT's list of images cannot hold {name!r}; rename it without double quotes and "
                'line breaks.'
            )
        return super().path(name)

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the color PNG of an image."""
        content = io.BytesIO()
        # The last color is that of label -1.
        colors = np.concatenate([self._colors, np.zeros((1, 3), np.uint8)])
        Image.fromarray(colors[self.annotated_labels(result)]).save(content, format='PNG')
        return content.getvalue()

    def assemble(self, names: Sequence[str]) -> list[Path]:
        """Write ``cvat.zip`` image by image."""
        rows = ['# label:color_rgb:parts:actions', f'{_BACKGROUND}:0,0,0::']
        for name, color in zip(self.annotated, self._colors.tolist(), strict=True):
            if name != _BACKGROUND:
                rows.append(f'{name}:{",".join(map(str, color))}::')
        path = self.folder / 'cvat.zip'
        with (
            open_whole_file(path, replace=self.overwrite) as file,
            zipfile.ZipFile(file, 'w') as archive,
        ):
            archive.writestr(_entry('labelmap.txt'), '\n'.join([*rows, '']).encode())
            with archive.open(_entry('ImageSets/Segmentation/default.txt'), 'w') as part:
                for name in names:
                    part.write(f'{_quoted(self._stem(name))}\n'.encode())
            for name in names:
                entry = _entry(f'SegmentationClass/{self._stem(name)}.png')
                with self.path(name).open('rb') as source, archive.open(entry, 'w') as part:
                    shutil.copyfileobj(source, part)
        return [path]

    def _stem(self, name: str) -> str:
        return self.path(name).relative_to(self.root).with_suffix('').as_posix()


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry without a time, so that the same content gives the same zip."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    return entry


def _quoted(stem: str) -> str:
    return f'"{stem}"' if len(stem.split()) > 1 else stem
