"""Base class of importers."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np


class Importer(ABC):
    """Annotations of many images, from a file that another tool wrote.

    Args:
        path: The file.

    Attributes:
        classes: Class names in the order of the file, not validated.
        names: Images of the file: paths relative to the image folder, with forward slashes.
    """

    has_suffixes = True
    """Whether :attr:`names` have the suffixes of the image files."""

    classes: tuple[str, ...]
    names: list[str]

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    @abstractmethod
    def labels(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """Return the label map of an image.

        Args:
            name: One of :attr:`names`.
            size: (height, width) of the image file, with EXIF rotation.

        Returns:
            int32 ``(H, W)`` indices into ``classes``; -1: not annotated.

        Raises:
            ValueError: The annotation is broken or does not fit the image; the message names the
                annotation or the entry of the file.
        """

    def close(self) -> None:  # noqa: B027 - most importers keep no file open
        """Close the file."""


def check_annotated_size(annotated: tuple[int, int], size: tuple[int, int]) -> None:
    """Check that an annotation has the size of its image.

    Args:
        annotated: (height, width) that was annotated.
        size: (height, width) of the image file, with EXIF rotation.

    Raises:
        ValueError: The sizes differ.
    """
    if annotated == size:
        return
    remedy = 'annotate the image at its own size, or give the folder of the annotated images'
    if annotated == size[::-1]:
        remedy += '; if the annotation tool ignored the EXIF orientation, remove it from the image'
    raise ValueError(
        f'annotated at height x width {annotated[0]} x {annotated[1]}, but the image has '
        f'{size[0]} x {size[1]}: {remedy}'
    )
