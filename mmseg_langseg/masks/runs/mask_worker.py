"""Mask generation from image files to mask files, without any file access."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mmseg_langseg.fileio import ImageSource, decode_image
from mmseg_langseg.masks.formats import encode_mask_file, encode_region_map
from mmseg_langseg.masks.generators import MaskGenerator

from .shard_run import UNUSABLE, reason_of

SUFFIXES = {'sa1b': '.json', 'regions': '.png'}
"""Suffix of the mask files of each format."""


class MaskWorker:
    """Generate the mask files of a batch of images, from bytes to bytes.

    Rows are plain dicts, and no file is read or written, so any engine that maps batches can call
    it. Equal images give equal rows, in any batch and any process.

    Args:
        generator: Mask generator, called with up to ``batch_size`` images.
        file_format: 'sa1b' (JSON) or 'regions' (16-bit PNG).

    Attributes:
        settings: Everything that the mask files depend on, as JSON types.

    Raises:
        ValueError: The format is unknown.
    """

    def __init__(self, generator: MaskGenerator, file_format: str = 'sa1b') -> None:
        if file_format not in SUFFIXES:
            raise ValueError(f"no format '{file_format}'; available: {', '.join(SUFFIXES)}")
        self.generator = generator
        self.regions = file_format == 'regions'
        self.settings = dict(format=file_format, **generator.settings)

    def __call__(self, batch: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Generate the mask files of a batch.

        Args:
            batch: A row per image with ``name`` (str), ``image`` (bytes, the content of the image
                file) and optionally ``reason`` (str; not empty if the file could not be read), see
                :func:`read_images`.

        Returns:
            A row per image, in the same order, with ``name``, ``file`` (bytes, the content of the
            mask file), ``masks`` (int, the number of masks or regions) and ``reason`` (str: why
            the image cannot be used; ``file`` is then empty).

        Raises:
            OSError: The machine failed, not an image, see :func:`raise_machine_fault`.
        """
        rows = {}
        images = {}
        for index, row in enumerate(batch):
            rows[index] = _row(row['name'], reason=row.get('reason', ''))
            if rows[index]['reason']:
                continue
            try:
                images[index] = decode_image(row['image'])
            except UNUSABLE as error:
                rows[index]['reason'] = reason_of(error)
        self._fill(rows, images)
        return list(rows.values())

    def _fill(self, rows: dict[int, dict], images: dict[int, np.ndarray]) -> None:
        try:
            contents = self._generate(list(images.values()))
        except UNUSABLE as error:
            if len(images) == 1:
                rows[next(iter(images))]['reason'] = reason_of(error)
                return
            # One bad image must not affect the others: process them one by one.
            for index, image in images.items():
                self._fill(rows, {index: image})
            return
        for (index, image), content in zip(images.items(), contents, strict=True):
            name = rows[index]['name']
            try:
                file = self._encode(name, image.shape[:2], content)
            except ValueError as error:
                rows[index]['reason'] = reason_of(error)
            else:
                rows[index] = _row(name, file, self._count(content))

    def _generate(self, images: list[np.ndarray]) -> list[np.ndarray] | list[list[dict]]:
        if not images:
            return []
        if self.regions:
            return self.generator.regions_of_batch(images)
        return self.generator.masks_of_batch(images)

    def _encode(self, name: str, size: tuple[int, int], content: np.ndarray | list[dict]) -> bytes:
        if self.regions:
            return encode_region_map(content)
        rles = [annotation['segmentation'] for annotation in content]
        return encode_mask_file(rles, size, name, details=content)

    def _count(self, content: np.ndarray | list[dict]) -> int:
        return count_regions(content) if self.regions else len(content)


def read_images(source: ImageSource, names: Iterable[str]) -> list[dict[str, Any]]:
    """Read the image files of a batch for :class:`MaskWorker`.

    Args:
        source: The images.
        names: Names of some of them.

    Returns:
        A row per image with ``name``, ``image`` (bytes; empty if the file cannot be read) and
        ``reason`` (str; empty if it can).

    Raises:
        OSError: The machine failed, not an image, see :func:`raise_machine_fault`.
    """
    rows = []
    for name in names:
        row = dict(name=name, image=b'', reason='')
        try:
            row['image'] = source.read(name)
        except UNUSABLE as error:
            row['reason'] = reason_of(error)
        rows.append(row)
    return rows


def _row(name: str, file: bytes = b'', masks: int = 0, reason: str = '') -> dict[str, Any]:
    return dict(name=name, file=file, masks=masks, reason=reason)


def count_regions(regions: np.ndarray) -> int:
    """Return the number of regions of a map (H, W), without ignored pixels."""
    return int(np.count_nonzero(np.bincount(regions[regions >= 0])))
