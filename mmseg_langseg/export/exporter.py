"""Base class of exporters."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from mmseg_langseg.fileio import contained_path, remove_leftovers, write_whole_file

from .run_record import RunRecord
from .segmentation_result import SegmentationResult

_MAX_BYTES = 255
"""Maximum length of a file name on common file systems."""


class Exporter(ABC):
    """Write the results of many images in one format, one image at a time.

    Each image has a file of its own, written atomically, so interrupted runs resume: images whose
    file :meth:`exists` need not be segmented again. Formats with one file for all images assemble
    it from these in :meth:`finish`. The memory needed does not depend on the number of images.

    Example::

        exporter = COCOExporter('out', ('cat', 'grass', 'other'))
        exporter.check_names(names)
        for name in names:
            if not exporter.exists(name):
                exporter.add(name, segment(name))
        exporter.finish(names)

    Args:
        folder: Folder to write to; its subfolder or file is named after the format.
        classes: Class names, distinct and not empty.
        overwrite: Replace files that exist. By default, an existing file is an error.

    Raises:
        ValueError: There is no class name, an empty or a duplicate one, or one with a line break.
    """

    suffix = '.png'
    """Suffix of the file of an image."""
    keep_suffix = False
    """Whether the file of ``a.jpg`` is ``a.jpg`` plus suffix, rather than ``a`` plus suffix."""

    def __init__(
        self, folder: str | os.PathLike, classes: Sequence[str], overwrite: bool = False
    ) -> None:
        self.folder = Path(folder)
        self.classes = tuple(classes)
        self.overwrite = overwrite
        bad = [name for name in self.classes if not name or len(name.splitlines()) != 1]
        if bad or not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError(
                f'classes is {list(self.classes)!r:.200}; expected distinct names without line '
                'breaks, and at least one.'
            )
        self._run_record: RunRecord | None = None

    @property
    @abstractmethod
    def root(self) -> Path:
        """Folder of the files of single images."""

    def settings(self) -> dict:
        """Return the settings that a resumed run must share, as values for JSON."""
        return dict(format=type(self).__name__, classes=list(self.classes))

    def path(self, name: str) -> Path:
        """Return the file of an image.

        Args:
            name: Path of the image relative to the input folder, with forward slashes.

        Raises:
            ValueError: The name is empty, absolute or leaves the folder with ``..``.
        """
        path = contained_path(self.root, name, 'image name')
        return path.with_name((path.name if self.keep_suffix else path.stem) + self.suffix)

    def check_names(self, names: Sequence[str]) -> None:
        """Check before a run that each image has a file of its own.

        Args:
            names: All images of the run.

        Raises:
            ValueError: A name is not valid, occurs twice, gives a file name of more than 255 bytes,
                or two images differ only in their suffix and would have the same file; the message
                names both.
        """
        seen: dict[str, str] = {}
        for name in names:
            path = self.path(name)
            length = len(os.fsencode(path.name))
            if length > _MAX_BYTES:
                raise ValueError(
                    f'the file of image {name!r:.100} would have a name of {length} bytes, more '
                    f'than {_MAX_BYTES}; rename the image.'
                )
            # The path relative to the folder, as a string: small for long lists.
            key = str(PurePosixPath(path.relative_to(self.root)))
            if seen.get(key) == name:
                raise ValueError(
                    f'image {name!r} occurs twice in the inputs, and both would be exported to '
                    f"'{key}'; give it once, or export to two folders."
                )
            if key in seen:
                raise ValueError(
                    f"images {seen[key]!r} and {name!r} would both be exported to '{key}'; rename "
                    'or remove one.'
                )
            seen[key] = name

    def exists(self, name: str) -> bool:
        """Return whether this run or one that it resumes has written the image's file completely.

        With ``overwrite`` always False.

        Raises:
            ValueError: The folder has files of a run with other classes or options, or a run with
                ``overwrite`` was interrupted.
        """
        return self._record().check() and self.path(name).exists()

    def add(self, name: str, result: SegmentationResult) -> None:
        """Write the file of an image.

        Args:
            name: Path of the image relative to the input folder, with forward slashes.
            result: Its result; ``labels`` int ``(H, W)``, ``classes`` as given to the exporter.

        Raises:
            FileExistsError: The file exists and ``overwrite`` is off.
            OSError: The disk is full, the folder is not writable, ...; the message names the file.
            ValueError: The result does not have the classes of the exporter, its labels are not
                valid, or see :meth:`exists`.
        """
        self._check(name, result)
        self._record().start()
        with _existing_file_explained():
            self.write(name, result)

    def write(self, name: str, result: SegmentationResult) -> None:
        """Write the file of an image, after the result was checked."""
        write_whole_file(self.path(name), self.encode(name, result), replace=self.overwrite)

    @abstractmethod
    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the content of an image's file."""

    def finish(self, names: Sequence[str]) -> list[Path]:
        """Write what describes all images, and remove temporary files of killed processes.

        May be called again: files of the same content are kept.

        Args:
            names: Images of the run, which were all added.

        Returns:
            The files written, without those of single images.

        Raises:
            FileExistsError: A file exists with other content and ``overwrite`` is off.
            FileNotFoundError: An image was not added; the message names its file.
            ValueError: See :meth:`check_names` and :meth:`exists`.
        """
        self.check_names(names)
        self._record().start()
        folders: dict[Path, set[str]] = {}
        for name in names:
            path = self.path(name)
            if not path.exists():
                raise FileNotFoundError(f"image {name!r} was not exported: '{path}' is missing.")
            folders.setdefault(path.parent, set()).add(path.name)
        for folder, files in folders.items():
            remove_leftovers(folder, files)
        with _existing_file_explained():
            written = self.assemble(names)
        for path in written:
            remove_leftovers(path.parent, {path.name})
        self._record().finish(mixed=self.overwrite and self._has_others(names))
        return written

    def assemble(self, names: Sequence[str]) -> list[Path]:
        """Write and return the files that describe all images; by default there are none."""
        return []

    def _record(self) -> RunRecord:
        if self._run_record is None:
            path = self.root / '.export.json'
            self._run_record = RunRecord(path, self.settings(), self.overwrite)
        return self._run_record

    def _has_others(self, names: Sequence[str]) -> bool:
        """Return whether there are files of images that are not among the names."""
        own = {self.path(name) for name in names}
        return any(
            path.suffix == (self.suffix or path.suffix) and own.isdisjoint((path, path.parent))
            for path in self.root.rglob('[!.]*')
            if path.is_file()
        )

    def _check(self, name: str, result: SegmentationResult) -> None:
        if tuple(result.classes) != self.classes:
            raise ValueError(
                f'{name!r}: the result has the classes {list(result.classes)!r:.200}, the exporter '
                f'{list(self.classes)!r:.200}; use one exporter per vocabulary.'
            )
        labels = result.labels
        integers = labels.ndim == 2 and labels.size and np.issubdtype(labels.dtype, np.integer)
        if not integers or labels.min() < 0 or labels.max() >= len(self.classes):
            values = f', values {labels.min()} to {labels.max()}' if labels.size else ''
            raise ValueError(
                f'{name!r}: labels of shape {labels.shape}, {labels.dtype}{values}; expected '
                f'integers (H, W) from 0 to {len(self.classes) - 1}.'
            )


def check_utf8(name: str, reader: str) -> None:
    """Check that an image name is valid UTF-8, for formats that hold names as text.

    Args:
        name: Path of the image relative to the input folder.
        reader: What cannot hold or open other names, for the error message.

    Raises:
        ValueError: The name has bytes that are not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f'{reader} the image name {name!r}, which is not valid UTF-8; rename the image.'
        ) from error


@contextmanager
def _existing_file_explained() -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        if error.filename is None:
            raise
        raise FileExistsError(
            f"'{error.filename}' exists with other content and was kept. Remove it and run again, "
            'which keeps the images that are complete; or overwrite all files.'
        ) from error
