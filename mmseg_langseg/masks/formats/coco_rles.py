"""Conversion of COCO instance and panoptic annotations to run-length encodings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_langseg.fileio import show_value

from .coco import CocoImage, take, take_name
from .polygons import polygons_to_rle
from .rle import encode_masks
from .sa1b import MAX_MASKS, read_rle

# Segment ids are stored as colors; grayscale images lack the second and third byte.
_MODES = ('RGB', 'RGBA', 'P')


def instance_rles(image: CocoImage) -> list[dict]:
    """Convert the instance annotations of an image (polygons or RLEs) to compressed RLEs.

    Returns:
        One COCO RLE per annotation, the union of its polygons.

    Raises:
        ValueError: A segmentation is neither polygons nor an RLE, is broken, or has another size;
            the message names the annotation.
    """
    rles = []
    for where, annotation in image.annotations:
        segmentation = annotation.get('segmentation')
        if isinstance(segmentation, dict):
            rles.append(read_rle(annotation, image.size, where))
            continue
        try:
            rles.append(polygons_to_rle(segmentation, *image.size))
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
    return rles


def panoptic_rles(image: CocoImage, png_dir: Path) -> list[dict]:
    """Convert a panoptic PNG to RLEs; the segment id of a pixel is ``R + 256 G + 256^2 B``.

    Args:
        image: The image.
        png_dir: Folder of the PNGs.

    Returns:
        One COCO RLE per segment, ordered by id; the id 0 is not a segment.

    Raises:
        OSError: The PNG is missing or cannot be read.
        ValueError: The file is not a panoptic PNG, or its size or segments differ from the
            annotation; the message names the annotation or the PNG.
    """
    if not image.annotations:
        return []
    where, annotation = image.annotations[0]
    if len(image.annotations) > 1:
        raise ValueError(f'{where} and {image.annotations[1][0]} both belong to this image')
    try:
        path = png_dir / take_name(annotation)
        segments = take(annotation, 'segments_info', list)
        listed = {take(segment, 'id', int) for segment in segments}
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error
    pixels = _read_ids(path, image.size)
    ids = np.unique(pixels)
    ids = ids[ids > 0]
    unknown = set(ids.tolist()) - listed
    if unknown:
        raise ValueError(
            f"'{path}' contains the segment {min(unknown)}, which {where} does not list: "
            'do they belong together?'
        )
    if len(ids) > MAX_MASKS:
        raise ValueError(f"'{path}' contains {len(ids)} segments, expected at most {MAX_MASKS}")
    return encode_masks(pixels == number for number in ids)


def _read_ids(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read the segment ids, int32 (H, W), of a panoptic PNG."""
    try:
        with open(path, 'rb') as file, Image.open(file, formats=('PNG',)) as image:
            if image.mode not in _MODES:
                raise ValueError(f"expected a color PNG, got Pillow's mode {image.mode!r}")
            if image.size[::-1] != size:
                raise ValueError(
                    f'it has height x width {list(image.size[::-1])}, its image {list(size)}'
                )
            colors = np.asarray(image.convert('RGB'))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"no file '{path}'; --png-dir sets the folder of the PNGs"
        ) from error
    except (OSError, MemoryError) as error:
        if isinstance(error, MemoryError) or error.errno is not None:
            raise
        raise ValueError(f"'{path}' cannot be decoded ({error})") from error
    except Exception as error:  # A damaged PNG fails in many ways.
        raise ValueError(f"'{path}': {show_value(str(error), 300)[1:-1]}") from error
    red, green, blue = np.moveaxis(colors, -1, 0)
    ids = red + 256 * green.astype(np.int32) + 256**2 * blue.astype(np.int32)
    return np.asfortranarray(ids)
