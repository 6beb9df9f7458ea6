"""Base class of mask generators."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmseg_langseg.fileio import show_value


class MaskGenerator(ABC):
    """Base class of generators of class-agnostic masks (may overlap) or regions (disjoint).

    Equal images give equal results, regardless of the images processed before.

    Attributes:
        settings: Everything that the results depend on, as JSON types; two runs with equal
            settings produce equal files.
        packages: Python packages whose versions affect the results.
        batch_size: Recommended number of images per call.
    """

    settings: dict[str, Any]
    packages: tuple[str, ...] = ()
    batch_size: int = 1

    @abstractmethod
    def masks(self, image: np.ndarray) -> list[dict]:
        """Generate the masks of an image.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            Annotations in SA-1B's format, with ``segmentation`` (a COCO RLE with string counts) and
            any other keys that the generator provides (``predicted_iou``, ...).

        Raises:
            ValueError: The generator cannot process the image.
        """

    @abstractmethod
    def regions(self, image: np.ndarray) -> np.ndarray:
        """Segment an image into regions.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            int32 (H, W), ids starting at 0.

        Raises:
            ValueError: The generator cannot process the image.
        """

    def masks_of_batch(self, images: Sequence[np.ndarray]) -> list[list[dict]]:
        """Generate the masks of a batch of images, with the same results as one by one.

        Args:
            images: Up to ``batch_size`` images, see :meth:`masks`.

        Returns:
            The annotations of each image.

        Raises:
            ValueError: The generator cannot process one of the images.
        """
        return [self.masks(image) for image in images]

    def regions_of_batch(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Segment a batch of images into regions, with the same results as one by one.

        Args:
            images: Up to ``batch_size`` images, see :meth:`regions`.

        Returns:
            The region ids of each image.

        Raises:
            ValueError: The generator cannot process one of the images.
        """
        return [self.regions(image) for image in images]


def fill_options(function: Callable, options: dict, reserved: tuple[str, ...] = ()) -> dict:
    """Fill in missing options with a function's defaults.

    Args:
        function: Function or class that takes the options.
        options: Some of its arguments.
        reserved: Arguments that are not options.

    Returns:
        Values of all arguments that have a default, except the reserved ones.

    Raises:
        ValueError: The function has no such option.
    """
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not parameter.empty and name not in reserved
    }
    unknown = sorted(options.keys() - defaults.keys())
    if unknown:
        raise ValueError(
            f'unknown options {show_value(unknown, 200)}; available: {sorted(defaults)}'
        )
    return defaults | options


def name_model(model: str, checkpoint: str | None) -> str:
    """Return an identifier of a model: its name, and the checkpoint's file name and size."""
    if checkpoint is None or not Path(checkpoint).is_file():
        return model
    path = Path(checkpoint)
    return f'{model}, {path.name}, {path.stat().st_size} bytes'
