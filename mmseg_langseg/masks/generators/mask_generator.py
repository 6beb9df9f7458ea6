"""What every generator of masks offers."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmseg_langseg.fileio import show_value


class MaskGenerator(ABC):
    """A way to cut an image into masks (which may overlap) or regions (which do not).

    Equal images give equal results, whatever was cut before.

    Attributes:
        settings: Everything that the results depend on, as JSON's types; two runs with equal
            settings give equal files.
        packages: Distributions whose version matters.
        batch_size: Images that it is best given at once.
    """

    settings: dict[str, Any]
    packages: tuple[str, ...] = ()
    batch_size: int = 1

    @abstractmethod
    def masks(self, image: np.ndarray) -> list[dict]:
        """Cut an image into masks.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            Annotations in SA-1B's form: ``segmentation`` (a COCO RLE with text counts) and
            whatever else the generator knows of a mask (``predicted_iou``, ...).

        Raises:
            ValueError: The generator cannot use such an image.
        """

    @abstractmethod
    def regions(self, image: np.ndarray) -> np.ndarray:
        """Cut an image into regions.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            int32 (H, W), ids from 0 on.

        Raises:
            ValueError: The generator cannot use such an image.
        """

    def masks_of_batch(self, images: Sequence[np.ndarray]) -> list[list[dict]]:
        """Cut images into masks, the same as each alone.

        Args:
            images: Up to ``batch_size`` images, see :meth:`masks`.

        Returns:
            The annotations of each.

        Raises:
            ValueError: The generator cannot use one of the images.
        """
        return [self.masks(image) for image in images]

    def regions_of_batch(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Cut images into regions, the same as each alone.

        Args:
            images: Up to ``batch_size`` images, see :meth:`regions`.

        Returns:
            The ids of each.

        Raises:
            ValueError: The generator cannot use one of the images.
        """
        return [self.regions(image) for image in images]


def fill_options(function: Callable, options: dict, reserved: tuple[str, ...] = ()) -> dict:
    """Complete options by a function's defaults.

    Args:
        function: Function or class that takes the options.
        options: Some of its arguments.
        reserved: Arguments that are no options.

    Returns:
        Values of all its arguments that have a default, without the reserved ones.

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
            f'unknown options {show_value(unknown, 200)}; there are {sorted(defaults)}'
        )
    return defaults | options


def name_model(model: str, checkpoint: str | None) -> str:
    """What tells two models apart: a name, and the name and size of the checkpoint."""
    if checkpoint is None or not Path(checkpoint).is_file():
        return model
    path = Path(checkpoint)
    return f'{model}, {path.name}, {path.stat().st_size} bytes'
