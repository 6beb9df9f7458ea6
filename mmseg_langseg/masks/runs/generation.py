"""Resumable, sharded generation of mask files for many images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mmseg_langseg.fileio import ImageSource
from mmseg_langseg.masks.generators import MaskGenerator

from .mask_run import MaskRun
from .mask_worker import MaskWorker, read_images
from .shard_report import ShardReport


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
    worker = MaskWorker(generator, file_format)

    def compute(names: list[str]) -> Iterator[list[dict[str, Any]]]:
        yield worker(read_images(source, names))

    run = MaskRun(source, out, file_format, shard, compute)
    settings = dict(generator=generator_name, **worker.settings)
    title = f'{generator_name} {shard[0]}/{shard[1]}' if shard[1] > 1 else generator_name
    return run.run(out, settings, generator.packages, title, generator.batch_size, progress)
