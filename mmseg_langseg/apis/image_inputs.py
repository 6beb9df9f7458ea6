"""Images to segment: arrays, image files, folders, lists, tar archives and videos."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmseg_langseg.fileio import LangSegWarning, open_image_source

from .images import decode_rgb, to_rgb

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v')

Inputs = str | os.PathLike | np.ndarray | Image.Image | Sequence


@dataclass(frozen=True)
class ImageInput:
    """Image that is loaded on demand.

    Attributes:
        name: File name relative to the folder of the inputs, with forward slashes; for a video
            ``NAME/000001.jpg`` and so on; None for an array.
        load: Function that returns the image, ``(H, W, 3)`` uint8, RGB.
    """

    name: str | None
    load: Callable[[], np.ndarray]


def is_single_image(inputs: Inputs) -> bool:
    """Return whether inputs are one image, not a collection."""
    if isinstance(inputs, (str, os.PathLike)):
        path = Path(inputs)
        return not (path.is_dir() or _is_video(path) or _is_collection(path))
    return not isinstance(inputs, (list, tuple, Iterator))


def number_of_images(inputs: Inputs) -> int | None:
    """Return the number of images; None for iterators and videos, which are read only once.

    Args:
        inputs: See :func:`image_inputs`.

    Raises:
        FileNotFoundError: See :func:`image_inputs`.
        ValueError: Likewise.
    """
    if isinstance(inputs, (list, tuple)):
        counts = [number_of_images(entry) for entry in inputs]
        return None if None in counts else sum(counts)
    if isinstance(inputs, Iterator):
        return None
    if not isinstance(inputs, (str, os.PathLike)) or is_single_image(inputs):
        return 1
    return None if _is_video(Path(inputs)) else len(open_image_source(inputs).names)


def image_inputs(inputs: Inputs, exclude: str | os.PathLike | None = None) -> Iterator[ImageInput]:
    """Iterate over images without loading them; a folder needs constant memory.

    Args:
        inputs: Image file, folder (searched recursively), tar, ``.txt`` list with one path per
            line, video, PIL image, uint8 array (see ``to_rgb``), :class:`ImageInput`, or a list or
            iterator of these.
        exclude: Subfolder of a folder to leave out.

    Raises:
        FileNotFoundError: A folder, list, tar or video does not exist.
        ValueError: A folder, list or tar contains no image, a video cannot be opened, or a path is
            an empty string.
    """
    if isinstance(inputs, str) and not inputs:
        raise ValueError('An input is an empty string; expected a path.')
    if isinstance(inputs, (list, tuple, Iterator)):
        for entry in inputs:
            yield from image_inputs(entry, exclude)
    elif isinstance(inputs, ImageInput):
        yield inputs
    elif not isinstance(inputs, (str, os.PathLike)):
        yield ImageInput(None, lambda: to_rgb(inputs))
    elif is_single_image(inputs):
        yield ImageInput(Path(inputs).name, lambda: to_rgb(inputs))
    elif _is_video(Path(inputs)):
        yield from _frames(Path(inputs))
    else:
        source = open_image_source(inputs, exclude=exclude)
        for name, reason in source.unreadable:
            warnings.warn(
                f"'{inputs}': {name!r} is left out: {reason}.", LangSegWarning, stacklevel=1
            )
        for name in source.names:
            yield ImageInput(name, lambda name=name: decode_rgb(source.read(name), name))


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def _is_collection(path: Path) -> bool:
    return path.suffix.lower() in ('.txt', '.tgz') or '.tar' in path.suffixes


def _frames(path: Path) -> Iterator[ImageInput]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no video '{path}'.")
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            raise ValueError(f"'{path}' cannot be opened as a video.")
        number = 0
        while True:
            is_read, frame = video.read()
            if not is_read:
                break
            number += 1
            rgb = np.ascontiguousarray(frame[..., ::-1])
            yield ImageInput(f'{path.stem}/{number:06}.jpg', lambda rgb=rgb: rgb)
        if not number:
            raise ValueError(f"'{path}' has no frame that can be decoded.")
        announced = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        if number < announced:
            warnings.warn(
                f"'{path}' announces {announced} frames, of which the first {number} could be "
                'decoded; if the video is longer, the file is damaged.',
                LangSegWarning,
                stacklevel=1,
            )
    finally:
        video.release()
