"""Result of the page: pictures to show and files to download."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmseg_langseg.apis.rejection import OTHER
from mmseg_langseg.export import (
    COCOExporter,
    LabelMapExporter,
    SegmentationResult,
    class_shares,
    color_classes,
    draw_heat_map,
)

SHOWN_SIDE = 1280
"""Longest side of pictures on the page; files have the size of the photo."""
_SMALL_SIDE = 640


@dataclass(frozen=True)
class PageResult:
    """Result of one photo, with the files in a folder of its own.

    Attributes:
        folder: Folder of the files.
        shown: Result in the size that the page shows.
        shares: Share of the pixels of each class that occurs, by class name, the largest first.
        heat_classes: Classes that have heat maps.
        label_file: Label map as PNG, in the size of the photo.
        coco_file: COCO annotations as JSON, likewise.
    """

    folder: Path
    shown: SegmentationResult
    shares: dict[str, float]
    heat_classes: tuple[str, ...]
    label_file: Path
    coco_file: Path

    @classmethod
    def create(
        cls, root: Path, result: SegmentationResult, words: Sequence[str] = ()
    ) -> PageResult:
        """Write the files of a result, and reduce it to the size that is shown.

        Args:
            root: Folder in which a folder for the result is created.
            result: Result of the inferencer, with a name, margin and probabilities.
            words: Class names as the user gave them: a class ``'other'`` among them is annotated.

        Raises:
            OSError: A file cannot be written.
            ValueError: The name of the photo is not valid as a file name.
        """
        folder = Path(tempfile.mkdtemp(dir=root))
        try:
            labels = LabelMapExporter(folder, result.classes)
            skip = () if OTHER in words else (OTHER,)
            coco = COCOExporter(folder, result.classes, skip=skip)
            for exporter in (labels, coco):
                exporter.add(result.name, result)
                exporter.finish([result.name])
            shown = _resized(result)
            np.save(folder / 'probabilities.npy', shown.probabilities)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        names = result.classes
        return cls(
            folder=folder,
            shown=SegmentationResult(shown.image, shown.labels, names, margin=shown.margin),
            shares={names[index]: share for index, share in class_shares(result).items()},
            heat_classes=names[: len(shown.probabilities)],
            label_file=labels.path(result.name),
            coco_file=folder / 'coco.json',
        )

    def picture(self, classes: Sequence[str] | None = None) -> Image.Image:
        """Return the photo with some or all (None) classes colored."""
        return color_classes(self.shown, shown=classes)

    def heat_map(self, name: str) -> Image.Image:
        """Return the heat map of a class."""
        maps = np.load(self.folder / 'probabilities.npy', mmap_mode='r')
        return draw_heat_map(maps[self.heat_classes.index(name)])

    def margin_map(self) -> Image.Image:
        """Return the margin between the two best classes as a heat map."""
        return draw_heat_map(self.shown.margin)

    def remove(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _resized(result: SegmentationResult) -> SegmentationResult:
    """Return a result in the size that is shown; small ones are enlarged."""
    height, width = result.labels.shape
    side = max(height, width)
    scale = min(max(side, _SMALL_SIDE), SHOWN_SIDE) / side
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smooth = cv2.INTER_AREA if scale <= 1 else cv2.INTER_CUBIC
    narrow = result.labels.astype(np.float32)  # exact, as there are fewer than 2**24 classes
    maps = (
        cv2.resize(m.astype(np.float32), size, interpolation=smooth) for m in result.probabilities
    )
    return SegmentationResult(
        image=cv2.resize(result.image, size, interpolation=smooth),
        labels=cv2.resize(narrow, size, interpolation=cv2.INTER_NEAREST).astype(np.int32),
        classes=result.classes,
        margin=cv2.resize(result.margin, size, interpolation=smooth),
        probabilities=np.stack([m.astype(np.float16) for m in maps]),
        name=result.name,
    )
