"""Images and masks of half the size, as PixelCLIP's data preparation asks of SA-1B."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from .errors import MaskFileError
from .generation import GenerationReport
from .generation_manifest import GenerationManifest
from .image_sources import ImageSource, decode_image
from .sa1b import parse_mask_annotations, read_mask_file, write_mask_file
from .whole_file import remove_leftovers, write_whole_file


def halve_image(image: np.ndarray) -> np.ndarray:
    """Average an image (H, W, 3) uint8 down to half its sides, rounded down, at least 1."""
    height, width = half_size(image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def halve_masks(annotations: list[dict], size: tuple[int, int]) -> list[dict]:
    """Bring masks to half the size of their image.

    A pixel is in the smaller mask if at least half of its area is in the mask.

    Args:
        annotations: Of SA-1B's JSON, all of an image of ``size``.
        size: (H, W).

    Returns:
        Annotations with smaller ``segmentation``, ``point_coords`` and ``crop_box``, and other
        keys as they were. Masks of which no pixel is left are dropped.
    """
    small = [dict(ann, **_halve_annotation(ann, size)) for ann in annotations]
    return [ann for ann in small if coco_mask.area(ann['segmentation']) > 0]


def half_size(size: tuple[int, int]) -> tuple[int, int]:
    """Half of each side, rounded down, at least 1."""
    return max(1, size[0] // 2), max(1, size[1] // 2)


def halve_images(
    source: ImageSource,
    read_masks: Callable[[str], bytes],
    out: str | os.PathLike,
    below: str = '',
    shard: tuple[int, int] = (0, 1),
    quality: int = 95,
    progress: bool = True,
) -> GenerationReport:
    """Halve images and their mask files.

    Writes ``OUT/images/BELOW/NAME.jpg`` and, after it, ``OUT/annotations/BELOW/NAME.json``, each
    completely or not at all; a sample that has both is kept. So a run may be killed and started
    again, and shards may work in one folder at the same time.

    Args:
        source: The images.
        read_masks: Gives the content of a mask file, such as 'a/1.json' for the image 'a/1.jpg'.
        out: Folder to write to, made if needed. ``OUT/annotations/BELOW/.manifest`` is as of
            :func:`generate_masks`.
        below: Folder within ``images`` and ``annotations``.
        shard: (i, n): of the sorted images take the i-th (from 0 on) and every n-th from there.
        quality: Of JPEGs.
        progress: Show a progress bar.

    Returns:
        What was found and made; a sample is unreadable if its image or its mask file is.

    Raises:
        ValueError: The folder holds files of other settings, or that no such run made.
        OSError: A file cannot be written; names it.
    """
    run = _Run(source, read_masks, Path(out), below, shard, quality)
    manifest = GenerationManifest(Path(out) / 'annotations' / below, shard)
    settings = dict(tool='halve', quality=quality)
    files = [path for pair in run.files.values() for path in pair]
    manifest.start(settings, ('numpy', 'pycocotools'), files)
    run.remove_leftovers()
    report = run.report
    for name in tqdm(run.files, desc='halve', unit='image', disable=not progress):
        run.make(name)
    report.unreadable.sort()
    counts = dict(
        images=report.images,
        files=report.made + report.kept,
        masks=report.masks,
        unreadable=len(report.unreadable),
    )
    manifest.finish(counts, report.unreadable)
    return report


class _Run:
    """One run over one shard."""

    def __init__(
        self,
        source: ImageSource,
        read_masks: Callable[[str], bytes],
        out: Path,
        below: str,
        shard: tuple[int, int],
        quality: int,
    ) -> None:
        self.source = source
        self.read_masks = read_masks
        self.quality = quality
        index, count = shard
        names = source.names[index::count]
        self.report = GenerationReport(images=len(names))
        if index == 0:
            self.report.unreadable += source.unreadable
        owner: dict[str, str] = {}
        for name in source.names:
            owner.setdefault(_mask_name(name), name)
        self.files: dict[str, tuple[Path, Path]] = {}
        for name in names:
            first = owner[_mask_name(name)]
            if first == name:
                mask_path = out / 'annotations' / below / _mask_name(name)
                self.files[name] = (out / 'images' / below / name, mask_path)
            else:
                self.report.unreadable.append((name, f'{first} has the same mask file'))

    def remove_leftovers(self) -> None:
        """Remove the temporary files of killed runs."""
        folders: dict[Path, set[str]] = {}
        for pair in self.files.values():
            for path in pair:
                folders.setdefault(path.parent, set()).add(path.name)
        for folder, names in folders.items():
            if folder.is_dir():
                remove_leftovers(folder, names)

    def make(self, name: str) -> None:
        """Make the two files of an image, unless they are there."""
        image_path, mask_path = self.files[name]
        if self._keep(image_path, mask_path):
            return
        try:
            image = decode_image(self.source.read(name))
            text = self.read_masks(_mask_name(name))
            annotations = parse_mask_annotations(text, _mask_name(name), image.shape[:2], name)
            masks = halve_masks(annotations, image.shape[:2])
        except (OSError, TypeError, ValueError) as error:
            self.report.unreadable.append((name, str(error)))
            return
        small = halve_image(image)
        write_whole_file(image_path, self._encode(small, image_path.suffix))
        # Last, as the mask file says that the sample is done.
        rles = [annotation['segmentation'] for annotation in masks]
        write_mask_file(mask_path, rles, small.shape[:2], image_path.name, details=masks)
        self.report.made += 1
        self.report.masks += len(masks)

    def _encode(self, image: np.ndarray, suffix: str) -> bytes:
        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        return cv2.imencode(suffix.lower(), image[..., ::-1], options)[1].tobytes()

    def _keep(self, image_path: Path, mask_path: Path) -> bool:
        """Whether the sample is there; counts it."""
        if not (image_path.is_file() and mask_path.is_file()):
            return False
        try:
            masks = read_mask_file(mask_path)
        except MaskFileError:
            return False
        self.report.kept += 1
        self.report.masks += len(masks)
        return True


def _mask_name(name: str) -> str:
    return PurePosixPath(name).with_suffix('.json').as_posix()


def _halve_annotation(annotation: dict, size: tuple[int, int]) -> dict:
    height, width = half_size(size)
    changed = dict(segmentation=_halve_rle(annotation['segmentation'], height, width))
    factors = width / size[1], height / size[0]
    points, box = annotation.get('point_coords'), annotation.get('crop_box')
    if points is not None:
        changed['point_coords'] = [[x * factors[0], y * factors[1]] for x, y in points]
    if box is not None:
        changed['crop_box'] = [side * factors[i % 2] for i, side in enumerate(box)]
    return changed


def _halve_rle(rle: dict, height: int, width: int) -> dict:
    # pycocotools' bitmaps lie column by column: transposed, OpenCV takes them without a copy.
    # An even number, so that half of it is exact.
    columns = coco_mask.decode(rle).T * np.uint8(254)
    small = cv2.resize(columns, (height, width), interpolation=cv2.INTER_AREA) >= 127
    rle = coco_mask.encode(np.asfortranarray(small.T, dtype=np.uint8))
    return dict(size=[height, width], counts=rle['counts'].decode('ascii'))
