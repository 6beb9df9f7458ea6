"""CVAT's format "Segmentation mask 1.1"."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_langseg.fileio import open_whole_file

from .annotation_exporter import AnnotationExporter
from .class_colors import class_colors
from .components import connected_components
from .exporter import check_utf8
from .segmentation_result import SegmentationResult

_BACKGROUND = 'background'
_FOLDERS = ('SegmentationClass', 'SegmentationObject')
_MOST_OBJECTS = 255


class CVATExporter(AnnotationExporter):
    """Write ``cvat.zip``, which CVAT imports as "Segmentation mask 1.1".

    The zip holds ``labelmap.txt`` with the class colors, the list of images, and two RGB PNGs per
    image: in ``SegmentationClass`` each pixel has the color of its class, in
    ``SegmentationObject`` that of its connected component. Skipped classes, and one named
    ``background``, are black, which CVAT does not annotate. An image has at most 255 objects: in
    each class, the smallest components share one if there are more. The task in CVAT must have
    labels of these names.

    ``cvat_parts`` has the PNGs of each image, from which :meth:`Exporter.finish` assembles the
    zip; the folder is not needed afterwards.

    Datumaro, which CVAT uses, also writes the format, but depends on pandas, PyArrow and a second
    build of OpenCV, which is too much for a few simple files.

    Args:
        folder: Folder to write to.
        classes: Class names; the label map cannot hold one with ``:`` or an initial ``#``.
        overwrite: Replace files that exist.
        skip: Classes that are background.

    Raises:
        ValueError: See :class:`AnnotationExporter`, or the label map cannot hold a class name.
    """

    suffix = '.zip'

    def __init__(
        self,
        folder: str | os.PathLike,
        classes: Sequence[str],
        overwrite: bool = False,
        skip: Sequence[str] = ('other',),
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
            ValueError: The name is not valid, or the list of images cannot hold it.
        """
        check_utf8(name, "CVAT's list of images cannot hold")
        path = super().path(name)
        stem = self._stem(path)
        if stem.startswith('#') or stem != stem.strip() or len(stem.splitlines()) > 1:
            raise ValueError(
                f"CVAT's list of images cannot hold the image name {name!r}; rename it without an "
                "initial '#', spaces at its ends, and line breaks."
            )
        return path

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return a zip of the two PNGs of an image.

        Raises:
            ValueError: The image has more than 255 classes.
        """
        labels = self.annotated_labels(result)
        # The last color is that of label -1.
        colors = np.concatenate([self._colors, np.zeros((1, 3), np.uint8)])
        labels = np.where(colors.any(1)[labels], labels, -1)
        pictures = colors[labels], _object_colors()[_objects(name, labels)]
        content = io.BytesIO()
        with zipfile.ZipFile(content, 'w') as archive:
            for folder, picture in zip(_FOLDERS, pictures, strict=True):
                with archive.open(_entry(folder), 'w') as part:
                    Image.fromarray(picture).save(part, format='PNG')
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
                    part.write(f'{self._stem(self.path(name))}\n'.encode())
            for name in names:
                with zipfile.ZipFile(self.path(name)) as parts:
                    for folder in _FOLDERS:
                        entry = _entry(f'{folder}/{self._stem(self.path(name))}.png')
                        with parts.open(folder) as source, archive.open(entry, 'w') as part:
                            shutil.copyfileobj(source, part)
        return [path]

    def _stem(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix().removesuffix(self.suffix)


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry without a time, so that the same content gives the same zip."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    return entry


def _objects(name: str, labels: np.ndarray) -> np.ndarray:
    """Return uint8 ``(H, W)`` numbers of objects, each of one class; 0: none."""
    present = np.unique(labels[labels >= 0]).tolist()
    if len(present) > _MOST_OBJECTS:
        raise ValueError(
            f'{name!r} has {len(present)} classes; CVAT masks have at most {_MOST_OBJECTS} per '
            'image. Use the COCO format, which CVAT imports as well.'
        )
    # One number for each class, and one for each of the largest components.
    shared = np.zeros(max(present, default=0) + 2, np.uint8)
    shared[present] = np.arange(1, len(present) + 1)
    objects = shared[labels]
    free = range(len(present) + 1, _MOST_OBJECTS + 1)
    areas = [int(part.sum()) for _, part, _ in connected_components(labels)]
    largest = np.argsort(-np.array(areas, int), kind='stable')[: len(free)].tolist()
    numbers = dict(zip(largest, free, strict=False))
    for index, (_, part, (top, left)) in enumerate(connected_components(labels)):
        if index in numbers:
            box = objects[top : top + part.shape[0], left : left + part.shape[1]]
            box[part] = numbers[index]
    return objects


@cache
def _object_colors() -> np.ndarray:
    """Return the colors ``(256, 3)`` of Pascal VOC's object masks, uint8 RGB.

    The bits of a number are dealt to the channels in turn, from the highest bit of a channel.
    """
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder='little')
    channels = np.zeros((256, 3, 8), np.uint8)
    for bit in range(8):
        channels[:, bit % 3, bit // 3] = bits[:, bit]
    return np.packbits(channels, axis=2)[..., 0]
