"""Reading and writing of mask files in SA-1B's JSON format, the mask format of this package.

One file per image::

    {"image": {"image_id": 1, "width": W, "height": H, "file_name": "sa_1.jpg"},
     "annotations": [{"id": 0, "segmentation": {"size": [H, W], "counts": "..."},
                      "bbox": [x, y, w, h], "area": 123, ...}, ...]}

Only the size and name of the image are read, and of each mask the segmentation and, to filter
masks, ``predicted_iou`` and ``stability_score``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import mmengine.fileio as fileio
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import (
    MaskFileError,
    check_size,
    parse_json,
    raise_machine_fault,
    show_value,
    write_whole_file,
)

from .rle import compress_rle, rle_area, rle_run_lengths

MAX_MASKS = 10_000
"""Maximum masks per image: the masks of a training sample take 64 KB each."""


def read_mask_file(
    path: str | os.PathLike,
    image_size: tuple[int, int] | None = None,
    backend_args: dict | None = None,
) -> list[dict]:
    """Read and validate the class-agnostic masks of one image.

    Args:
        path: Mask file in SA-1B's JSON format.
        image_size: Expected (height, width) of the image; ``None``: not compared.
        backend_args: MMEngine file backend.

    Returns:
        One COCO RLE ``{'size': [H, W], 'counts': str}`` per mask; empty if the image has none.
        Uncompressed counts (a list of run lengths) are compressed.

    Raises:
        MaskFileError: The file is missing or not JSON, lacks a key, has another image size,
            contains a broken RLE or more than ``MAX_MASKS`` masks. The message names the file
            and the annotation.
        OSError: Too many files are open or memory is exhausted, which is not this file's fault.
    """
    annotations = read_mask_annotations(path, image_size, backend_args=backend_args)
    return [annotation['segmentation'] for annotation in annotations]


def read_mask_annotations(
    path: str | os.PathLike,
    image_size: tuple[int, int] | None = None,
    image_name: str | None = None,
    backend_args: dict | None = None,
) -> list[dict]:
    """Read and validate the masks of one image with all their other keys.

    Args:
        path: Mask file in SA-1B's JSON format.
        image_size: Expected (height, width) of the image; ``None``: not compared.
        image_name: Path of the image; a file that names another stem is refused. ``None``, or a
            file without a name: not compared.
        backend_args: MMEngine file backend.

    Returns:
        The annotations; their ``segmentation`` is as returned by :func:`read_mask_file`.

    Raises:
        MaskFileError: See :func:`read_mask_file`; or the file names another image.
    """
    try:
        content = fileio.get(str(path), backend_args=backend_args)
    except (OSError, ValueError) as error:
        raise_machine_fault(error)
        raise MaskFileError(f'{path}: mask file cannot be read ({error})') from error
    return parse_mask_annotations(content, path, image_size, image_name)


def parse_mask_annotations(
    text: str | bytes,
    path: str | os.PathLike,
    image_size: tuple[int, int] | None = None,
    image_name: str | None = None,
) -> list[dict]:
    """Parse and validate the content of a mask file.

    Args:
        text: Content of the file.
        path: Path for error messages.
        image_size: See :func:`read_mask_annotations`.
        image_name: See :func:`read_mask_annotations`.

    Returns:
        The annotations, see :func:`read_mask_annotations`.

    Raises:
        MaskFileError: See :func:`read_mask_annotations`.
    """
    try:
        content = parse_json(text, f'{path}: mask file')
    except ValueError as error:
        raise MaskFileError(str(error)) from error
    image = _get(content, 'image', dict, path)
    size = _read_size(image, path)
    if image_size is not None and size != tuple(image_size):
        raise MaskFileError(
            f'{path}: masks are for an image of height x width {size[0]} x {size[1]}, '
            f'the image has {image_size[0]} x {image_size[1]}; '
            'were the images resized without their masks?'
        )
    if image_name is not None:
        _check_name(image.get('file_name'), image_name, path)
    annotations = _get(content, 'annotations', list, path)
    if len(annotations) > MAX_MASKS:
        raise MaskFileError(f'{path}: {len(annotations)} masks, expected at most {MAX_MASKS}')
    for i, annotation in enumerate(annotations):
        rle = read_rle(annotation, size, f'{path}, annotation {i}')
        annotation['segmentation'] = rle
    return annotations


def write_mask_file(
    path: str | os.PathLike,
    rles: Sequence[dict],
    image_size: tuple[int, int],
    file_name: str,
    image_id: int = 0,
    details: Sequence[dict] | None = None,
) -> None:
    """Write the masks of one image in SA-1B's JSON format, atomically.

    Args:
        path: File to write; its folder is created if needed.
        rles: See :func:`encode_mask_file`, as are the other arguments.
        image_size: (height, width) of the image.
        file_name: Name of the image file.
        image_id: Id of the image.
        details: Additional keys of each annotation.

    Raises:
        ValueError: See :func:`encode_mask_file`; the message names the file.
        OSError: The file cannot be written; the message names it.
    """
    try:
        content = encode_mask_file(rles, image_size, file_name, image_id, details)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    write_whole_file(path, content)


def encode_mask_file(
    rles: Sequence[dict],
    image_size: tuple[int, int],
    file_name: str,
    image_id: int = 0,
    details: Sequence[dict] | None = None,
) -> bytes:
    """Return the content of the mask file of one image in SA-1B's JSON format.

    Args:
        rles: COCO RLEs ``{'size': [H, W], 'counts': str | bytes}``.
        image_size: (height, width) of the image.
        file_name: Name of the image file.
        image_id: Id of the image.
        details: Additional keys of each annotation, such as SA-1B's ``predicted_iou``.

    Raises:
        ValueError: An RLE is broken or has another size, there are more than ``MAX_MASKS``, or
            a detail cannot be stored as JSON, such as NaN.
    """
    height, width = image_size
    if len(rles) > MAX_MASKS:
        raise ValueError(f'{len(rles)} masks, expected at most {MAX_MASKS}')
    annotations = [_annotation(i, rle, (height, width)) for i, rle in enumerate(rles)]
    if details is not None:
        annotations = [dict(b, **a) for a, b in zip(annotations, details, strict=True)]
    image = dict(image_id=image_id, width=width, height=height, file_name=file_name)
    try:
        content = json.dumps(dict(image=image, annotations=annotations), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'the masks cannot be stored as JSON ({error})') from error
    return content.encode()


def _check_name(own_name: Any, image_name: str, path: object) -> None:
    if not isinstance(own_name, str) or not own_name:
        return
    if PurePath(own_name).stem != PurePath(image_name).stem:
        raise MaskFileError(
            f'{path}: these are the masks of the image {show_value(own_name, 200)}, '
            f"not of '{image_name}'; "
            "if the image was renamed, change 'file_name' or remove it"
        )


def _get(mapping: Any, key: str, expected: type | tuple[type, ...], where: object) -> Any:
    """Return a value of a parsed JSON object after checking its type."""
    if not isinstance(mapping, dict) or key not in mapping:
        raise MaskFileError(f"{where}: key '{key}' is missing; expected SA-1B's JSON format")
    value = mapping[key]
    if not isinstance(value, expected):
        raise MaskFileError(f"{where}: '{key}' has the wrong type, got {show_value(value)}")
    return value


def _read_size(image: dict, path: object) -> tuple[int, int]:
    sides = (_get(image, side, int, path) for side in ('height', 'width'))
    try:
        return check_size(*sides)
    except ValueError as error:
        if isinstance(error, MaskFileError):
            raise
        raise MaskFileError(f'{path}: image {error}') from error


def read_rle(annotation: Any, size: tuple[int, int], where: str) -> dict:
    """Validate and return the RLE of an annotation.

    Args:
        annotation: Parsed JSON.
        size: (height, width) of the image.
        where: Name of the annotation for error messages.

    Returns:
        COCO RLE ``{'size': [H, W], 'counts': str}``.

    Raises:
        MaskFileError: The annotation has no RLE, a broken one, or one with another size.
    """
    segmentation = _get(annotation, 'segmentation', dict, where)
    own_size = _get(segmentation, 'size', list, where)
    if own_size != list(size):
        raise MaskFileError(
            f'{where}: mask has height x width {show_value(own_size)}, its image {list(size)}'
        )
    # Equal sides may still be floats.
    rle = dict(size=list(size), counts=_get(segmentation, 'counts', (str, list), where))
    try:
        rle_run_lengths(rle)
    except ValueError as error:
        raise MaskFileError(f'{where}: {error}') from error
    return compress_rle(rle)


def _annotation(index: int, rle: dict, size: tuple[int, int]) -> dict:
    if tuple(rle['size']) != size:
        raise ValueError(f'mask {index} has size {rle["size"]}, the image {list(size)}')
    area = rle_area(rle)
    rle = compress_rle(rle)
    return dict(id=index, segmentation=rle, bbox=coco_mask.toBbox(rle).tolist(), area=area)
