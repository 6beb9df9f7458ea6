"""Downsampling of images and masks to half their size, PixelCLIP's preparation of SA-1B."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from mmseg_langseg.fileio import ImageSource, decode_image, show_value, write_whole_file
from mmseg_langseg.masks.formats import (
    decode_rle,
    encode_masks,
    parse_mask_annotations,
    read_mask_file,
    rle_area,
    write_mask_file,
)
from mmseg_langseg.masks.option_checks import check_integer

from .shard_report import ShardReport
from .shard_run import UNUSABLE, ShardRun


def halve_image(image: np.ndarray) -> np.ndarray:
    """Downsample an image (H, W, 3) uint8 to half its sides, rounded down, at least 1."""
    height, width = half_size(image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def halve_masks(annotations: list[dict], size: tuple[int, int]) -> list[dict]:
    """Downsample masks to half the size of their image.

    A pixel belongs to the smaller mask if the mask covers at least half of its area.

    Args:
        annotations: SA-1B annotations of an image with the given ``size``.
        size: (H, W).

    Returns:
        Annotations with downsampled ``segmentation``, ``point_coords`` and ``crop_box``; other
        keys are unchanged. Masks without any remaining pixel are dropped.

    Raises:
        ValueError: A mask is broken, or its points or its box are not coordinates.
    """
    small = [dict(ann, **_halve_annotation(ann, size)) for ann in annotations]
    return [ann for ann in small if rle_area(ann['segmentation']) > 0]


def half_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return half of each side, rounded down, at least 1."""
    return max(1, size[0] // 2), max(1, size[1] // 2)


def halve_images(
    source: ImageSource,
    read_masks: Callable[[str], bytes],
    out: str | os.PathLike,
    below: str = '',
    shard: tuple[int, int] = (0, 1),
    quality: int = 95,
    progress: bool = True,
) -> ShardReport:
    """Downsample images and their mask files to half their size.

    Writes ``OUT/images/BELOW/NAME.jpg`` and then ``OUT/annotations/BELOW/NAME.json``; interrupted
    runs resume where they stopped, see :class:`ShardRun`.

    Args:
        source: The images.
        read_masks: Returns the content of a mask file, such as 'a/1.json' for the image 'a/1.jpg'.
        out: Output folder, created if needed. For ``OUT/annotations/BELOW/.manifest``, see
            :func:`generate_masks`.
        below: Folder within ``images`` and ``annotations``.
        shard: (i, n): every n-th of the sorted images, starting with the i-th (counted from 0).
        quality: JPEG quality, 1 to 100.
        progress: Show a progress bar.

    Returns:
        Report of the run; a sample is unreadable if its image or its mask file is.

    Raises:
        ValueError: The folder contains files with other settings or of another origin, or the
            quality is out of range.
        OSError: A file cannot be written; the message names it.
    """
    check_integer('quality', quality, 1, 100)
    run = _Halving(source, read_masks, Path(out), below, shard, quality)
    settings = dict(tool='halve', quality=quality)
    folder = Path(out) / 'annotations' / below
    return run.run(folder, settings, ('numpy', 'pycocotools'), 'halve', progress=progress)


class _Halving(ShardRun):
    """Downsampling of the images and masks of one shard."""

    def __init__(
        self,
        source: ImageSource,
        read_masks: Callable[[str], bytes],
        out: Path,
        below: str,
        shard: tuple[int, int],
        quality: int,
    ) -> None:
        def targets(name: str) -> tuple[Path, Path]:
            return out / 'images' / below / name, out / 'annotations' / below / _mask_name(name)

        super().__init__(source, shard, targets)
        self.read_masks = read_masks
        self.quality = quality

    def make(self, names: list[str]) -> None:
        """Write the image and the mask file of each sample."""
        for name in names:
            try:
                image = decode_image(self.source.read(name))
                text = self.read_masks(_mask_name(name))
                annotations = parse_mask_annotations(text, _mask_name(name), image.shape[:2], name)
                masks = halve_masks(annotations, image.shape[:2])
                small = halve_image(image)
                content = self._encode(name, small)
            except UNUSABLE as error:
                self.skip(name, error)
                continue
            self._write(name, content, small.shape[:2], masks)

    def count(self, path: Path) -> int:
        """Return the number of masks in a file."""
        return len(read_mask_file(path))

    def _encode(self, name: str, image: np.ndarray) -> bytes:
        suffix = PurePosixPath(name).suffix.lower()
        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality] if suffix in ('.jpg', '.jpeg') else []
        try:
            return cv2.imencode(suffix, image[..., ::-1], options)[1].tobytes()
        except cv2.error as error:
            raise ValueError(f"cannot be written as '{suffix}' ({error.err})") from error

    def _write(self, name: str, content: bytes, size: tuple[int, int], masks: list[dict]) -> None:
        image_path, mask_path = self.files[name]
        # A killed run leaves an image without a mask file; its content is the same as now.
        if image_path.exists() and image_path.read_bytes() not in (b'', content):
            self.skip(name, f"'{image_path}' exists and is not from this run; remove it")
            return
        write_whole_file(image_path, content)
        # Written last, because the mask file marks the sample as done.
        rles = [annotation['segmentation'] for annotation in masks]
        try:
            write_mask_file(mask_path, rles, size, image_path.name, details=masks)
        except ValueError as error:
            self.skip(name, error)
            return
        self.add(len(masks))


def _mask_name(name: str) -> str:
    return PurePosixPath(name).with_suffix('.json').as_posix()


def _halve_annotation(annotation: dict, size: tuple[int, int]) -> dict:
    height, width = half_size(size)
    changed = dict(segmentation=_halve_rle(annotation['segmentation'], height, width))
    factors = width / size[1], height / size[0]
    for key, shape in (('point_coords', (-1, 2)), ('crop_box', (4,))):
        if annotation.get(key) is not None:
            changed[key] = _scale(annotation[key], shape, factors, key)
    return changed


def _scale(values: Any, shape: tuple[int, ...], factors: tuple[float, float], key: str) -> list:
    """Multiply x, y, x, y, ... by the factors."""
    try:
        numbers = np.array(values, dtype=np.float64)
        if not numbers.size:
            return []
        numbers = numbers.reshape(shape)
    except (TypeError, ValueError, OverflowError):
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all():
        raise ValueError(f"'{key}' is {show_value(values)}, expected coordinates in pixels")
    return (numbers.reshape(-1, 2) * factors).reshape(numbers.shape).tolist()


def _halve_rle(rle: dict, height: int, width: int) -> dict:
    # pycocotools' bitmaps are column-major: transposed, OpenCV takes them without a copy.
    # 254 is even, so that half of it is exact.
    columns = decode_rle(rle).T * np.uint8(254)
    small = cv2.resize(columns, (height, width), interpolation=cv2.INTER_AREA) >= 127
    return encode_masks([small.T])[0]
