"""Resumable, sharded generation of mask files for many images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from mmseg_langseg.fileio import ImageSource, decode_image
from mmseg_langseg.masks.formats import (
    read_mask_file,
    read_region_map,
    write_mask_file,
    write_region_map,
)
from mmseg_langseg.masks.generators import MaskGenerator

from .shard_report import ShardReport
from .shard_run import UNUSABLE, ShardRun

SUFFIXES = {'sa1b': '.json', 'regions': '.png'}


def generate_masks(
    source: ImageSource,
    out: str | os.PathLike,
    generator: MaskGenerator,
    generator_name: str,
    file_format: str = 'sa1b',
    shard: tuple[int, int] = (0, 1),
    progress: bool = True,
) -> ShardReport:
    """Generate one mask file per image in the same folder structure, resumably.

    Interrupted runs resume where they stopped, see :class:`ShardRun`.

    Args:
        source: The images.
        out: Output folder, created if needed. Its subfolder ``.manifest`` stores the settings,
            and for each shard the counts and a list of the images that could not be used.
        generator: Mask generator, called with ``batch_size`` images.
        generator_name: Its name, for the manifest.
        file_format: 'sa1b' (JSON) or 'regions' (16-bit PNG).
        shard: (i, n): every n-th of the sorted images, starting with the i-th (counted from 0).
        progress: Show a progress bar.

    Raises:
        ValueError: The format is unknown, the shard is invalid, the folder contains files with
            other settings or of another origin, or masks would overwrite images.
        OSError: A file cannot be written; the message names it.
    """
    if file_format not in SUFFIXES:
        raise ValueError(f"no format '{file_format}'; available: {', '.join(SUFFIXES)}")
    run = _Generation(source, Path(out), generator, file_format, shard)
    settings = dict(generator=generator_name, format=file_format, **generator.settings)
    title = f'{generator_name} {shard[0]}/{shard[1]}' if shard[1] > 1 else generator_name
    return run.run(out, settings, generator.packages, title, generator.batch_size, progress)


class _Generation(ShardRun):
    """Mask generation for one shard."""

    def __init__(
        self,
        source: ImageSource,
        out: Path,
        generator: MaskGenerator,
        file_format: str,
        shard: tuple[int, int],
    ) -> None:
        def targets(name: str) -> tuple[Path]:
            return (out / (os.path.splitext(name)[0] + SUFFIXES[file_format]),)

        super().__init__(source, shard, targets)
        self.generator = generator
        self.regions = file_format == 'regions'

    def make(self, names: list[str]) -> None:
        """Generate the files of a batch of images."""
        images = {}
        for name in names:
            try:
                images[name] = decode_image(self.source.read(name))
            except UNUSABLE as error:
                self.skip(name, error)
        self._make_decoded(images)

    def count(self, path: Path) -> int:
        """Return the number of masks or regions in a file."""
        return _count(read_region_map(path) if self.regions else read_mask_file(path))

    def _make_decoded(self, images: dict[str, np.ndarray]) -> None:
        try:
            contents = self._generate(list(images.values()))
        except UNUSABLE as error:
            if len(images) == 1:
                self.skip(*images, error)
                return
            # One bad image must not affect the others: process them one by one.
            for name, image in images.items():
                self._make_decoded({name: image})
            return
        for (name, image), content in zip(images.items(), contents, strict=True):
            self._write(name, image.shape[:2], content)

    def _generate(self, images: list[np.ndarray]) -> list[np.ndarray] | list[list[dict]]:
        if not images:
            return []
        if self.regions:
            return self.generator.regions_of_batch(images)
        return self.generator.masks_of_batch(images)

    def _write(self, name: str, size: tuple[int, int], content: np.ndarray | list[dict]) -> None:
        (path,) = self.files[name]
        if self.regions:
            write_region_map(path, content)
        else:
            rles = [annotation['segmentation'] for annotation in content]
            try:
                write_mask_file(path, rles, size, name, details=content)
            except ValueError as error:
                self.skip(name, error)
                return
        self.add(_count(content))


def _count(content: np.ndarray | list[dict]) -> int:
    """Count the masks of a file or the regions of a map."""
    if isinstance(content, list):
        return len(content)
    return int(np.count_nonzero(np.bincount(content[content >= 0])))
