"""Base class of exporters."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmseg_langseg.fileio import contained_path, write_whole_file

from .segmentation_result import SegmentationResult


class Exporter(ABC):
    """Write the results of many images in one format, one image at a time.

    Each image has a file of its own, written atomically, so an interrupted run resumes: images
    whose file :meth:`exists` need not be segmented again. Formats with one file for all images
    assemble it in :meth:`finish`. No file is replaced.

    Args:
        folder: Folder to write to; its subfolder or file is named after the format.
        classes: Class names.
    """

    suffix = '.png'

    def __init__(self, folder: str | os.PathLike, classes: Sequence[str]) -> None:
        self.folder = Path(folder)
        self.classes = tuple(classes)

    @property
    @abstractmethod
    def root(self) -> Path:
        """Folder of the files of single images."""

    def path(self, name: str) -> Path:
        """Return the file of an image.

        Args:
            name: Path of the image relative to the input folder, with forward slashes.
        """
        return contained_path(self.root, str(PurePosixPath(name).with_suffix(self.suffix)))

    def exists(self, name: str) -> bool:
        """Return whether the file of an image is complete."""
        return self.path(name).is_file()

    def add(self, name: str, result: SegmentationResult) -> None:
        """Write the file of an image.

        Raises:
            FileExistsError: The file exists.
            OSError: The disk is full, the folder is not writable, ...; the message names the file.
        """
        write_whole_file(self.path(name), self.encode(name, result), replace=False)

    @abstractmethod
    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the content of an image's file."""

    def finish(self, names: Sequence[str]) -> list[Path]:
        """Write what describes all images.

        Args:
            names: Images of the run, all of which exist.

        Returns:
            The files written.
        """
        return []
