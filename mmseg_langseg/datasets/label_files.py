"""Reading of label map files and conversion of their values to class labels."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache

import mmengine.fileio as fileio
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmseg_langseg.fileio import BadFileError

NARROW_IGNORE = 255
"""Label of ignored pixels with up to 255 classes."""
WIDE_IGNORE = 65535
"""Label of ignored pixels with more than 255 classes."""
UNKNOWN = -1
"""Entry of :func:`label_table` for invalid values of a label file."""

_BYTE_MODES = ('1', 'L', 'P')
# Older Pillow opens 16-bit PNGs as 'I'.
_WIDE_MODES = ('I;16', 'I;16B', 'I;16L', 'I;16N', 'I')
_PNG_END = b'IEND\xaeB`\x82'
_SHOWN = 5


class LabelFileError(BadFileError):
    """A label map is missing, damaged, of another size, or contains invalid labels."""


def ignored_label(num_classes: int) -> int:
    """Return the label of ignored pixels: 255 with up to 255 classes, 65535 with more."""
    return NARROW_IGNORE if num_classes <= NARROW_IGNORE else WIDE_IGNORE


def read_label_file(
    path: str, image_size: tuple[int, int] | None = None, backend_args: dict | None = None
) -> np.ndarray:
    """Read a label map from an image file with one channel of 8 or 16 bits.

    Args:
        path: File to read.
        image_size: Expected (height, width) of the label map; None: not compared.
        backend_args: MMEngine file backend.

    Returns:
        (H, W) uint8, or uint16 if the file has 16 bits. For a palette image, the indices.

    Raises:
        LabelFileError: The file is missing, damaged, of another size, or has several channels.
    """
    try:
        content = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError as error:
        raise LabelFileError(f'{path}: this label map does not exist') from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            _check_kind(path, image, image_size)
            values = np.array(image)
            if image.format == 'PNG' and _PNG_END not in content:
                raise ValueError('the PNG is truncated')
    except LabelFileError:
        raise
    except UnidentifiedImageError as error:  # whose text names an object in memory
        raise LabelFileError(
            f'{path}: label map cannot be decoded: it is not an image file; expected a PNG'
        ) from error
    except Exception as error:  # Pillow raises a dozen types for damaged or huge files
        raise LabelFileError(
            f'{path}: label map cannot be decoded ({type(error).__name__}: {error})'
        ) from error
    if values.dtype == np.int32 and (values.min() < 0 or values.max() > WIDE_IGNORE):
        raise LabelFileError(
            f'{path}: label values {values.min()} to {values.max()}; expected 0 to {WIDE_IGNORE}'
        )
    return values.astype(np.uint8 if values.dtype in (bool, np.uint8) else np.uint16, copy=False)


def _check_kind(path: str, image: Image.Image, image_size: tuple[int, int] | None) -> None:
    if image.mode not in _BYTE_MODES + _WIDE_MODES:
        raise LabelFileError(
            f'{path}: the label map has mode {image.mode} ({len(image.getbands())} channels); '
            'expected one channel of 8 or 16 bits with class indices; convert colors to indices '
            'and save it as a gray or palette PNG'
        )
    height, width = image.height, image.width
    if image_size is not None and (height, width) != tuple(image_size):
        raise LabelFileError(
            f'{path}: the label map has height x width {height} x {width}, its image '
            f'{image_size[0]} x {image_size[1]}; resize the label map without interpolation, or '
            'pair it with its own image'
        )


@lru_cache(maxsize=64)
def label_table(
    size: int,
    ignore_index: int,
    num_classes: int | None = None,
    label_map: tuple[tuple[int, int], ...] = (),
    reduce_zero_label: bool = False,
    ignored: int | None = None,
) -> np.ndarray:
    """Build a lookup table from file values to labels, like mmseg's ``LoadAnnotations``.

    The largest value of the file (255 or 65535) and ``ignore_index`` are ignored;
    ``reduce_zero_label`` then ignores 0 and counts the others from 0; ``label_map`` comes last.

    Args:
        size: Number of values: 256 or 65536.
        ignore_index: Label of ignored pixels, 255 or 65535.
        num_classes: Labels from this value on are invalid; None: those above ``ignore_index``.
        label_map: Pairs of a label and its new label.
        reduce_zero_label: Whether 0 is ignored and 1 becomes 0.
        ignored: The label that the metric ignores, if it is another than ``ignore_index``, which
            is then a label as any other.

    Returns:
        (size,) int32; :data:`UNKNOWN` for a value that is neither a class nor ignored.
    """
    labels = np.arange(size, dtype=np.int32)
    labels[-1] = ignore_index
    if reduce_zero_label:
        labels = np.where(labels == ignore_index, ignore_index, labels - 1)
        labels[0] = ignore_index
    mapped = labels.copy()
    for old, new in label_map:
        mapped[labels == old] = new
    limit = ignore_index if num_classes is None else num_classes
    mapped[(mapped >= limit) & (mapped != (ignore_index if ignored is None else ignored))] = UNKNOWN
    mapped.flags.writeable = False
    return mapped


def map_labels(
    path: str,
    values: np.ndarray,
    ignore_index: int,
    num_classes: int | None = None,
    label_map: Mapping[int, int] | None = None,
    reduce_zero_label: bool = False,
    ignored: int | None = None,
) -> np.ndarray:
    """Convert the values of a label file to labels; see :func:`label_table`.

    Args:
        path: Path for error messages.
        values: (H, W) uint8 or uint16.
        ignore_index: Label of ignored pixels.
        num_classes: Number of classes, if known.
        label_map: New label of each old label.
        reduce_zero_label: Whether 0 is ignored and 1 becomes 0.
        ignored: The label that the metric ignores, if it is another.

    Returns:
        (H, W) uint8, or int32 if ``ignore_index`` does not fit a byte.

    Raises:
        LabelFileError: A value is neither a class nor ignored.
    """
    size = 256 if values.dtype == np.uint8 else 65536
    pairs = tuple(sorted((label_map or {}).items()))
    table = label_table(size, ignore_index, num_classes, pairs, bool(reduce_zero_label), ignored)
    labels = table[values]
    if labels.min() < 0:
        bad = values[labels < 0]
        not_counted = ignore_index if ignored is None else ignored
        expected = _expected(table, not_counted, f'{bad.min()}', ignore_index)
        raise LabelFileError(f'{path}: {_describe(bad)}; {expected}')
    return labels.astype(np.uint8) if ignore_index == NARROW_IGNORE else labels


def _describe(values: np.ndarray) -> str:
    found, counts = np.unique(values, return_counts=True)
    first = list(zip(found.tolist(), counts.tolist(), strict=True))[:_SHOWN]
    shown = ', '.join(f'{value} ({count} pixels)' for value, count in first)
    more = f' and {len(found) - _SHOWN} other values' if len(found) > _SHOWN else ''
    return f'label value {shown}{more} is neither a class nor ignored'


def _expected(table: np.ndarray, not_counted: int, value: str, target: int) -> str:
    classes = np.flatnonzero((table != UNKNOWN) & (table != not_counted))
    ignored = ', '.join(map(str, np.flatnonzero(table == not_counted)[-_SHOWN:]))
    span = f'{classes[0]} to {classes[-1]}' if len(classes) else 'no class at all'
    return (
        f'expected {span}, or an ignored value ({ignored or "none"}); add the missing class names, '
        'or ignore or map the value in the dataset config (FolderSegDataset: '
        f'ignore_index={value} or label_mapping={{{value}: {target}}}, with --cfg-options '
        f'...dataset.label_mapping.{value}={target}), or convert the label maps again'
    )
