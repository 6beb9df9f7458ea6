"""Making the masks of many images, safely: the runner that all generators share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .errors import MaskFileError
from .generation_manifest import GenerationManifest
from .image_sources import ImageSource, decode_image
from .mask_generator import MaskGenerator
from .region_files import read_region_map, write_region_map
from .sa1b import read_mask_file, write_mask_file
from .whole_file import remove_leftovers

SUFFIXES = {'sa1b': '.json', 'regions': '.png'}


@dataclass
class GenerationReport:
    """What a run found and made.

    Attributes:
        images: Images of the shard.
        made: Files that this run made.
        kept: Files that were there, complete.
        masks: Masks or regions in all these files.
        seconds: Time that making took by the clock.
        unreadable: (name, reason) of each image or folder that could not be used.
    """

    images: int = 0
    made: int = 0
    kept: int = 0
    masks: int = 0
    seconds: float = 0.0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def generate_masks(
    source: ImageSource,
    out: str | os.PathLike,
    generator: MaskGenerator,
    generator_name: str,
    file_format: str = 'sa1b',
    shard: tuple[int, int] = (0, 1),
    progress: bool = True,
) -> GenerationReport:
    """Make one mask file for each image, in the same tree.

    A file is written completely or not at all, and what is there and complete is kept; so a run
    may be killed at any moment, and after another run the folder is as if nothing had happened.
    Shards and doubled runs may work in one folder at the same time.

    Args:
        source: The images.
        out: Folder to write to, made if needed. Its sub-folder ``.manifest`` gets the settings,
            and for each shard its counts and a list of the images that could not be used.
        generator: Makes the masks, of ``batch_size`` images at once.
        generator_name: Its name, for the manifest.
        file_format: 'sa1b' (JSON) or 'regions' (16-bit PNG).
        shard: (i, n): of the sorted images take the i-th (from 0 on) and every n-th from there.
        progress: Show a progress bar.

    Returns:
        What was found and made.

    Raises:
        ValueError: Unknown format, impossible shard, the folder holds files of other settings or
            files that no such run made, or masks would overwrite images.
        OSError: A file cannot be written; names it.
    """
    if file_format not in SUFFIXES:
        raise ValueError(f"no format '{file_format}'; there are {', '.join(SUFFIXES)}")
    index, count = shard
    if not 0 <= index < count:
        raise ValueError(
            f'shard {index}/{count}: expected 0/{count} to {max(count, 1) - 1}/{count}'
        )
    run = _Run(source, Path(out), generator, file_format, shard)
    manifest = GenerationManifest(out, shard)
    settings = dict(generator=generator_name, format=file_format, **generator.settings)
    manifest.start(settings, generator.packages, run.files.values())
    todo = run.look_up()
    start = time.perf_counter()
    with tqdm(
        total=run.report.images,
        initial=run.report.images - len(todo),
        desc=f'{generator_name} {index}/{count}',
        unit='image',
        disable=not progress,
    ) as bar:
        for first in range(0, len(todo), generator.batch_size):
            batch = todo[first : first + generator.batch_size]
            run.make(batch)
            bar.update(len(batch))
    report = run.report
    report.seconds = time.perf_counter() - start
    counts = dict(
        images=report.images,
        files=report.made + report.kept,
        masks=report.masks,
        unreadable=len(report.unreadable),
    )
    report.unreadable.sort()
    manifest.finish(counts, report.unreadable)
    return report


class _Run:
    """One run over one shard."""

    def __init__(
        self,
        source: ImageSource,
        out: Path,
        generator: MaskGenerator,
        file_format: str,
        shard: tuple[int, int],
    ) -> None:
        self.source = source
        self.generator = generator
        self.file_format = file_format
        index, count = shard
        names = source.names[index::count]
        self.report = GenerationReport(images=len(names))
        if index == 0:
            self.report.unreadable += source.unreadable
        owner: dict[str, str] = {}
        for name in source.names:
            owner.setdefault(_target(name, file_format), name)
        self.files: dict[str, Path] = {}
        for name in names:
            first = owner[_target(name, file_format)]
            if first == name:
                self.files[name] = out / _target(name, file_format)
            else:
                self._skip(name, f'{first} has the same mask file')
        if file_format == 'regions' and source.root is not None:
            _check_overwrite(out, owner, source)

    def look_up(self) -> list[str]:
        """Remove what killed runs left, count what is complete, and name the images to do."""
        folders: dict[Path, set[str]] = {}
        for path in self.files.values():
            folders.setdefault(path.parent, set()).add(path.name)
        for folder, names in folders.items():
            if folder.is_dir():
                remove_leftovers(folder, names)
        return [name for name in self.files if not self._keep(name)]

    def make(self, names: Iterable[str]) -> None:
        """Make the files of a batch of images, but not those made meanwhile by another run."""
        images = {}
        for name in names:
            if self._keep(name):
                continue
            try:
                images[name] = decode_image(self.source.read(name))
            except (OSError, ValueError) as error:
                self._skip(name, str(error))
        self._make_decoded(images)

    def _make_decoded(self, images: dict[str, np.ndarray]) -> None:
        try:
            contents = self._generate(list(images.values()))
        except (OSError, ValueError) as error:
            if len(images) == 1:
                self._skip(*images, str(error))
                return
            # One image is to blame, which must cost the others nothing.
            for name, image in images.items():
                self._make_decoded({name: image})
            return
        for (name, image), content in zip(images.items(), contents, strict=True):
            self._write(name, image.shape[:2], content)

    def _generate(self, images: list[np.ndarray]) -> list[np.ndarray] | list[list[dict]]:
        if not images:
            return []
        if self.file_format == 'regions':
            return self.generator.regions_of_batch(images)
        return self.generator.masks_of_batch(images)

    def _write(self, name: str, size: tuple[int, int], content: np.ndarray | list[dict]) -> None:
        path = self.files[name]
        if self.file_format == 'regions':
            write_region_map(path, content)
        else:
            rles = [annotation['segmentation'] for annotation in content]
            write_mask_file(path, rles, size, name, details=content)
        self.report.made += 1
        self.report.masks += _count(content)

    def _keep(self, name: str) -> bool:
        """Whether the file is there and complete; counts it."""
        path = self.files[name]
        if not path.exists():
            return False
        read = read_region_map if self.file_format == 'regions' else read_mask_file
        try:
            content = read(path)
        except MaskFileError:
            return False
        self.report.kept += 1
        self.report.masks += _count(content)
        return True

    def _skip(self, name: str, reason: str) -> None:
        self.report.unreadable.append((name, reason))


def _target(name: str, file_format: str) -> str:
    return os.path.splitext(name)[0] + SUFFIXES[file_format]


def _check_overwrite(out: Path, targets: Iterable[str], source: ImageSource) -> None:
    """Refuse to write region maps where images are."""
    root, out_root = os.path.realpath(source.root), os.path.realpath(out)
    images = {os.path.join(root, name) for name in source.names}
    for target in targets:
        path = os.path.join(out_root, target)
        if path in images:
            raise ValueError(f"the masks would overwrite the image '{path}'; give another folder")


def _count(content: np.ndarray | list[dict]) -> int:
    """Masks of a file, or regions of a map."""
    if isinstance(content, list):
        return len(content)
    return int(np.count_nonzero(np.bincount(content[content >= 0])))
