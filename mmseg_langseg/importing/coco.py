"""COCO instance annotations as label maps."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mmseg_langseg.fileio import show_value
from mmseg_langseg.masks.formats import instance_rles, read_coco_annotations, rle_run_lengths
from mmseg_langseg.masks.formats.coco import take

from .importer import Importer, check_annotated_size

_SHOWN = 5


class COCOImporter(Importer):
    """Read COCO JSON with polygons and compressed or uncompressed RLEs.

    Classes are the ``categories`` in the order of the file; their ids may have gaps. Annotations
    are drawn in the order of the file, so where they overlap, the later one wins. ``iscrowd`` is
    not read: a crowd is a region of its category, and CVAT sets it for every mask.

    Args:
        path: The file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not such a file, or an entry of ``images``, ``annotations`` or
            ``categories`` cannot be used; the message names the file and the entry.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        super().__init__(path)
        content = read_coco_annotations(self.path.read_bytes(), self.path)
        if content.panoptic:
            raise ValueError(
                f"'{self.path}' has panoptic annotations; expected instances ('segmentation')"
            )
        if content.bad:
            shown = '; '.join(f'{entry}: {reason:.300}' for entry, reason in content.bad[:_SHOWN])
            more = '; ...' if len(content.bad) > _SHOWN else ''
            raise ValueError(
                f"'{self.path}' has {len(content.bad)} entries that cannot be used: {shown}{more}. "
                'Fix or remove them.'
            )
        try:
            categories = _read_categories(content.categories)
        except ValueError as error:
            raise ValueError(f"'{self.path}': {error}") from error
        self.classes = tuple(categories.values())
        self._index = {number: index for index, number in enumerate(categories)}
        self._images = content.images
        self.names = list(self._images)

    def labels(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """Return the label map of an image, see :meth:`Importer.labels`."""
        image = self._images[name]
        check_annotated_size(image.size, size)
        classes = [self._class_of(*entry) for entry in image.annotations]
        # RLEs count column by column.
        columns = np.full(size[0] * size[1], -1, np.int32)
        for label, rle in zip(classes, instance_rles(image), strict=True):
            ends = np.cumsum(rle_run_lengths(rle)).tolist()
            for start, end in zip(ends[::2], ends[1::2], strict=False):
                columns[start:end] = label
        return np.ascontiguousarray(columns.reshape(size[::-1]).T)

    def _class_of(self, where: str, annotation: dict) -> int:
        try:
            number = take(annotation, 'category_id', int)
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
        if number not in self._index:
            raise ValueError(
                f"{where}: 'category_id' is {show_value(number)}, but no category has this id"
            )
        return self._index[number]


def _read_categories(entries: Any) -> dict[int, str]:
    """Return the category names by id, in the order of the file."""
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"'categories' is {show_value(entries)}, expected a list of categories")
    names: dict[int, str] = {}
    for place, entry in enumerate(entries):
        try:
            number, name = take(entry, 'id', int), take(entry, 'name', str)
            if number in names:
                raise ValueError(f'another category has the id {show_value(number)}')
        except ValueError as error:
            raise ValueError(f'categories[{place}]: {error}') from error
        names[number] = name
    return names
