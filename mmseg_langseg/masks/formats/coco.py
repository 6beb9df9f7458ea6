"""Parsing of COCO-style annotation files (instance and panoptic).

Only the id, file name and size of each image are validated here, and of each annotation only the
image id; readers of segmentations and categories validate what they use.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from mmseg_langseg.fileio import check_size, contained_path, parse_json, show_value


@dataclass
class CocoImage:
    """Image of a COCO annotation file with its annotations.

    Attributes:
        number: Its ``id``.
        name: Its ``file_name``, a relative path that stays in its folder.
        size: (height, width).
        annotations: Its annotations: (name for error messages, content).
    """

    number: int
    name: str
    size: tuple[int, int]
    annotations: list[tuple[str, dict]] = field(default_factory=list)


@dataclass
class CocoAnnotations:
    """Parsed COCO annotation file.

    Attributes:
        images: The usable images by name.
        panoptic: Whether the annotations are panoptic.
        bad: (entry, reason) of entries that cannot be used.
        categories: ``categories`` of the file, not validated.
    """

    images: dict[str, CocoImage]
    panoptic: bool
    bad: list[tuple[str, str]]
    categories: Any = None


def read_coco_annotations(content: bytes, path: str | os.PathLike) -> CocoAnnotations:
    """Parse and validate a COCO annotation file.

    Args:
        content: Content of the file.
        path: Path for error messages.

    Returns:
        The images. Segmentations are checked when they are decoded, see ``coco_rles``.

    Raises:
        ValueError: The file is not a COCO file with instance or panoptic annotations.
    """
    # A single NaN must not invalidate the file: polygons are checked one by one.
    document = parse_json(content, f"'{path}'", allow_nan=True)
    lists = [document.get(key) for key in ('images', 'annotations')] if _is(document, dict) else []
    if not lists or not all(_is(entries, list) and entries for entries in lists):
        raise ValueError(f"'{path}' lacks images or annotations: expected COCO JSON")
    panoptic = _is_panoptic(lists[1], path)
    numbers, bad = _read_images(lists[0])
    for place, annotation in enumerate(lists[1]):
        where = _describe(place, annotation)
        try:
            _find_image(annotation, numbers).annotations.append((where, annotation))
        except ValueError as error:
            bad.append((where, str(error)))
    images = {image.name: image for image in numbers.values() if isinstance(image, CocoImage)}
    return CocoAnnotations(images, panoptic, bad, document.get('categories'))


def take(entry: dict, key: str, kind: type) -> Any:
    """Return a value of an entry after checking its type.

    Raises:
        ValueError: The key is missing, or its value has another type.
    """
    if not _is(entry, dict):
        raise ValueError(f'is {show_value(entry)}, expected an object')
    if key not in entry:
        raise ValueError(f"lacks '{key}', it has {show_value(sorted(entry))}")
    if not _is(entry[key], kind):
        raise ValueError(f"'{key}' is {show_value(entry[key])}, expected {_KINDS[kind]}")
    return entry[key]


def take_name(entry: dict) -> str:
    """Return the ``file_name`` of an entry, a relative path that stays in its folder.

    Raises:
        ValueError: It is missing, or not such a path.
    """
    name = take(entry, 'file_name', str)
    path = contained_path('.', name, 'file_name')
    os.fsencode(path)
    return path.as_posix()


_KINDS = {int: 'an integer', str: 'a string', list: 'a list', dict: 'an object'}


def _is(value: Any, kind: type) -> bool:
    # isinstance() would accept True as an integer.
    return type(value) is kind


def _is_panoptic(annotations: list, path: object) -> bool:
    first = annotations[0]
    if _is(first, dict) and 'segments_info' in first:
        return True
    if _is(first, dict) and 'segmentation' in first:
        return False
    held = f'the keys {sorted(first)}' if _is(first, dict) else show_value(first)
    raise ValueError(
        f"'{path}' has annotations with {show_value(held, 300)[1:-1]}: expected panoptic ones "
        "('segments_info') or instances ('segmentation')"
    )


def _read_images(entries: list) -> tuple[dict[int, CocoImage | None], list[tuple[str, str]]]:
    """Return the images by id, ``None`` for unusable ones, and the (entry, reason) of those."""
    numbers: dict[int, CocoImage | None] = {}
    names: dict[str, int] = {}
    bad = []
    for place, entry in enumerate(entries):
        try:
            number = take(entry, 'id', int)
            if number in numbers:
                raise ValueError(f'another image has the id {show_value(number)}')
            numbers[number] = None
            name = take_name(entry)
            if names.setdefault(name, place) != place:
                raise ValueError(f'images[{names[name]}] also has the name {show_value(name)}')
            size = check_size(take(entry, 'height', int), take(entry, 'width', int))
            numbers[number] = CocoImage(number, name, size)
        except ValueError as error:
            bad.append((f'images[{place}]', str(error)))
    return numbers, bad


def _describe(place: int, annotation: Any) -> str:
    number = annotation.get('id') if _is(annotation, dict) else None
    where = f'annotations[{place}]'
    return where if number is None else f'{where} with the id {show_value(number)}'


def _find_image(annotation: Any, numbers: dict[int, CocoImage | None]) -> CocoImage:
    number = take(annotation, 'image_id', int)
    if number not in numbers:
        raise ValueError(f"'image_id' is {show_value(number)}, but no image has this id")
    image = numbers[number]
    if image is None:
        raise ValueError(f'its image, with the id {show_value(number)}, cannot be used')
    return image
