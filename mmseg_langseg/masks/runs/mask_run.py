"""Resumable writing of mask files for many images, wherever they are computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mmseg_langseg.fileio import ImageSource, write_whole_file
from mmseg_langseg.masks.formats import read_mask_file, read_region_map

from .mask_worker import SUFFIXES, count_regions
from .shard_run import ShardRun


class MaskRun(ShardRun):
    """Mask files of one shard, from rows that are computed in this process or elsewhere.

    Args:
        source: The images.
        out: Output folder.
        file_format: 'sa1b' (JSON) or 'regions' (16-bit PNG).
        shard: (i, n): every n-th of the sorted images, starting with the i-th (counted from 0).
        compute: Takes the names of a batch and returns the rows of :class:`MaskWorker` for them,
            in any order and in any number of parts.

    Raises:
        ValueError: The shard is invalid, or masks would overwrite images.
    """

    def __init__(
        self,
        source: ImageSource,
        out: str | os.PathLike,
        file_format: str,
        shard: tuple[int, int],
        compute: Callable[[list[str]], Iterable[list[dict[str, Any]]]],
    ) -> None:
        def targets(name: str) -> tuple[Path]:
            return (Path(out) / (os.path.splitext(name)[0] + SUFFIXES[file_format]),)

        super().__init__(source, shard, targets)
        self.regions = file_format == 'regions'
        self.compute = compute

    def make(self, names: list[str]) -> None:
        """Write the files of a batch of images."""
        for rows in self.compute(names):
            for row in rows:
                if row['reason']:
                    self.skip(row['name'], row['reason'])
                else:
                    write_whole_file(self.files[row['name']][0], row['file'])
                    self.add(row['masks'])

    def count(self, path: Path) -> int:
        """Return the number of masks or regions in a file."""
        return count_regions(read_region_map(path)) if self.regions else len(read_mask_file(path))
