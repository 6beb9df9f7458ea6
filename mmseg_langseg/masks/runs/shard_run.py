"""Base class for resumable, sharded processing of many images."""

from __future__ import annotations

import itertools
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from mmseg_langseg.fileio import (
    ImageSource,
    MaskFileError,
    check_no_overwrite,
    raise_machine_fault,
    remove_leftovers,
)

from .generation_manifest import GenerationManifest
from .own_files import may_replace
from .shard_report import ShardReport

# Errors of a single image, which must not affect the others.
UNUSABLE = (OSError, ValueError, MemoryError, torch.cuda.OutOfMemoryError)
# Seconds after which the check of existing files shows a progress bar.
_PATIENCE = 2
# Linux allows 255 bytes; temporary file names are 13 bytes longer.
_LONGEST_NAME, _LONGEST_PATH = 240, 4000


def reason_of(error: BaseException) -> str:
    """Return why an image cannot be used, in words.

    Args:
        error: One of :data:`UNUSABLE`.

    Raises:
        OSError: The machine failed, not the image, see :func:`raise_machine_fault`.
    """
    raise_machine_fault(error)
    return str(error) or type(error).__name__


class ShardRun(ABC):
    """Base class for resumable processing of one shard of many images.

    Interruptions are safe: files are written atomically, and a new run keeps the complete ones and
    produces the same result as an uninterrupted run. Several shards, or several runs of the same
    shard, may use one folder at the same time.

    Args:
        source: The images.
        shard: (i, n): every n-th of the sorted images, starting with the i-th (counted from 0).
        targets: Returns the files of an image; the last one, its mask file, is written last.
            If several images have the same mask file, only the first one is processed.
        inputs: Other files that are read besides the images.

    Raises:
        ValueError: The shard is invalid, or an input would be overwritten.
    """

    def __init__(
        self,
        source: ImageSource,
        shard: tuple[int, int],
        targets: Callable[[str], tuple[Path, ...]],
        inputs: Iterable[Path] = (),
    ) -> None:
        index, count = shard
        if not 0 <= index < count:
            raise ValueError(
                f'shard {index}/{count}: expected 0/{count} to {max(count, 1) - 1}/{count}'
            )
        self.source = source
        self.shard = shard
        self._bar: tqdm | None = None
        names = source.names[index::count]
        self.report = ShardReport(images=len(names))
        if index == 0:
            self.report.unreadable += source.unreadable
        owner: dict[Path, str] = {}
        for name in source.names:
            owner.setdefault(targets(name)[-1], name)
        self.files: dict[str, tuple[Path, ...]] = {}
        for name in names:
            paths = targets(name)
            if owner[paths[-1]] != name:
                self.skip(name, f'{owner[paths[-1]]} has the same mask file')
            elif not all(_is_short(path) for path in paths):
                self.skip(name, 'the name is too long for a file')
            else:
                self.files[name] = paths
        if source.root is not None:
            images = (os.path.join(source.root, name) for name in source.names)
            inputs = itertools.chain(inputs, images)
        check_no_overwrite(itertools.chain.from_iterable(self.files.values()), inputs)

    @abstractmethod
    def make(self, names: list[str]) -> None:
        """Write the files of a batch of images; report each by :meth:`add` or :meth:`skip`.

        Raises:
            OSError: A file cannot be written; the message names it.
        """

    @abstractmethod
    def count(self, path: Path) -> int:
        """Return the number of masks in a mask file.

        Raises:
            MaskFileError: The file is not complete.
        """

    def run(
        self,
        manifest_folder: str | os.PathLike,
        settings: dict[str, Any],
        packages: Iterable[str],
        title: str,
        batch_size: int = 1,
        progress: bool = True,
    ) -> ShardReport:
        """Process all images whose files are missing or incomplete.

        Args:
            manifest_folder: Folder whose subfolder ``.manifest`` stores the settings, the counts,
                and the list of unusable images, see :class:`GenerationManifest`.
            settings: Everything that the files depend on, as JSON types.
            packages: Python packages to record the versions of.
            title: Title of the progress bar.
            batch_size: Images per batch.
            progress: Show a progress bar.

        Raises:
            ValueError: The folder contains files with other settings or of another origin.
            OSError: A file cannot be written, or too many are open; the message names the file.
        """
        report = self.report
        manifest = GenerationManifest(manifest_folder, self.shard)
        manifest.start(settings, packages, itertools.chain.from_iterable(self.files.values()))
        self._remove_leftovers()
        look = dict(unit='image', disable=not progress)
        check = tqdm(self.files, desc=f'{title}: check', delay=_PATIENCE, leave=False, **look)
        todo = [name for name in check if not self._keep(name)]
        start = time.perf_counter()
        done = report.images - len(todo)
        with tqdm(total=report.images, initial=done, desc=title, **look) as self._bar:
            for first in range(0, len(todo), batch_size):
                batch = todo[first : first + batch_size]
                # Another run may have processed some in the meantime.
                self.make([name for name in batch if not self._keep(name)])
        report.seconds = time.perf_counter() - start
        report.unreadable.sort()
        report.unreadable_path = manifest.unreadable_path
        manifest.finish(report.counts, report.unreadable)
        return report

    def add(self, masks: int) -> None:
        """Count an image that was processed."""
        self.report.made += 1
        self.report.masks += masks
        self._advance()

    def skip(self, name: str, reason: str | BaseException) -> None:
        """Count an image that cannot be used.

        Raises:
            OSError: The machine failed, not the image, see :func:`raise_machine_fault`.
        """
        if isinstance(reason, BaseException):
            reason = reason_of(reason)
        self.report.unreadable.append((name, reason))
        self._advance()

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def _keep(self, name: str) -> bool:
        """Return whether the files of an image are complete, and count them if so."""
        paths = self.files[name]
        if not os.path.exists(paths[-1]):
            return False
        try:
            masks = self.count(paths[-1])
        except MaskFileError as error:
            if not may_replace(paths[-1]):
                raise ValueError(
                    f"'{paths[-1]}' exists and was not made by this tool ({error}); remove it, or "
                    'give an empty folder'
                ) from error
            return False
        if not all(os.path.exists(path) for path in paths):
            return False
        self.report.kept += 1
        self.report.masks += masks
        self._advance()
        return True

    def _remove_leftovers(self) -> None:
        """Remove the temporary files of killed runs."""
        folders: dict[Path, set[str]] = {}
        for paths in self.files.values():
            for path in paths:
                folders.setdefault(path.parent, set()).add(path.name)
        for folder, names in folders.items():
            if folder.is_dir():
                remove_leftovers(folder, names)


def _is_short(path: Path) -> bool:
    longest = max(len(os.fsencode(part)) for part in path.parts)
    return longest <= _LONGEST_NAME and len(os.fsencode(path)) <= _LONGEST_PATH
