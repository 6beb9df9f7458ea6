"""COCO run-length encoding (RLE): validation, lookup without decoding, and conversion.

A COCO RLE lists run lengths in column-major order (pixel ``(row, col)`` of an ``H x W`` mask has
the position ``col * H + row``), starting with a run of zeros. The compressed form packs each run
into base-32 digits; from the fourth run on it stores the difference to the run two places before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import check_size, show_value

_FIRST_CHAR = 48
_DATA_BITS = 0x1F
_SIGN_BIT = 0x10
_MORE_BIT = 0x20
# 30 bits: enough for any valid run, and the most that pycocotools shifts correctly.
_MAX_DIGITS = 6


def rle_run_lengths(rle: dict) -> np.ndarray:
    """Decode and validate the run lengths of a COCO RLE.

    pycocotools does not validate its input and writes out of bounds if the runs are longer than
    the mask, so every untrusted RLE must pass this function before pycocotools gets it.

    Args:
        rle: ``{'size': [H, W], 'counts': str | bytes | list[int]}``.

    Returns:
        ``(R,)`` int64, lengths of the runs 0, 1, 0, 1, ...; their sum is ``H * W``.

    Raises:
        ValueError: The RLE is broken: an impossible size, not decodable, a negative run, a run or
            a number of runs above the mask's area, or runs that do not add up to the mask's area.
    """
    size = rle['size']
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise ValueError(f'RLE size is {show_value(size)}, expected [height, width]')
    height, width = check_size(*size)
    area = height * width
    counts = rle['counts']
    # At most 2**28 runs, each below 2**31 in size: no sum below can wrap around.
    if isinstance(counts, (str, bytes)):
        runs = _decode_counts(counts, area + 1)
    else:
        runs = _check_counts(counts, area + 1)
    if (runs < 0).any():
        raise ValueError(f'RLE has a run of negative length {runs.min()}')
    if (runs > area).any():
        raise ValueError(f'RLE has a run of {runs.max()} pixels, the mask has {area}')
    if runs.sum() != area:
        raise ValueError(
            f'RLE runs sum to {runs.sum()} pixels, expected {height} x {width} = {area}'
        )
    return runs


def rle_area(rle: dict) -> int:
    """Validate a COCO RLE and return the area of its mask in pixels.

    Raises:
        ValueError: See :func:`rle_run_lengths`.
    """
    return int(rle_run_lengths(rle)[1::2].sum())


def decode_rle(rle: dict) -> np.ndarray:
    """Validate a COCO RLE and decode it to a bitmap.

    Returns:
        bool (H, W) in column-major order.

    Raises:
        ValueError: See :func:`rle_run_lengths`.
    """
    rle_run_lengths(rle)
    return coco_mask.decode(compress_rle(rle)).view(bool)


def compress_rle(rle: dict) -> dict:
    """Compress a validated COCO RLE to string counts.

    Args:
        rle: ``{'size': [H, W], 'counts': str | bytes | list[int]}`` that
            :func:`rle_run_lengths` accepts.

    Returns:
        ``{'size': [H, W], 'counts': str}``.
    """
    counts = rle['counts']
    if not isinstance(counts, (str, bytes)):
        counts = coco_mask.frPyObjects(rle, *rle['size'])['counts']
    size = [int(side) for side in rle['size']]
    return dict(size=size, counts=counts if isinstance(counts, str) else counts.decode('ascii'))


def merge_rles(rles: Sequence[dict]) -> dict:
    """Validate COCO RLEs and return the RLE of their union.

    Args:
        rles: N > 0 RLEs of the same size.

    Returns:
        ``{'size': [H, W], 'counts': str}``.

    Raises:
        ValueError: See :func:`rle_run_lengths`; or the masks differ in size.
    """
    if any(tuple(rle['size']) != tuple(rles[0]['size']) for rle in rles):
        raise ValueError(f'masks of one image differ in size: {[rle["size"] for rle in rles]}')
    for rle in rles:
        rle_run_lengths(rle)
    return compress_rle(coco_mask.merge([compress_rle(rle) for rle in rles]))


def encode_masks(masks: Iterable[np.ndarray]) -> list[dict]:
    """Encode bitmaps as COCO RLEs with string counts, as in SA-1B files.

    Args:
        masks: N bool (H, W).

    Returns:
        N RLEs ``{'size': [H, W], 'counts': str}``.
    """
    # One at a time: a copy of all masks of a large image would exhaust the memory.
    rles = [coco_mask.encode(np.asfortranarray(mask).view(np.uint8)) for mask in masks]
    return [dict(size=list(rle['size']), counts=rle['counts'].decode('ascii')) for rle in rles]


def lookup_rles(rles: Sequence[dict], flat_index: np.ndarray) -> np.ndarray:
    """Look up the values of N masks at given pixels directly in their run lengths.

    The cost is one sort of the pixels and one binary search per run, so a 256 x 256 view of a
    hundred large masks is much cheaper than decoding them.

    Args:
        rles: N COCO RLEs of one image, all of the same size (H, W).
        flat_index: Integer array of any shape, values ``row * W + col``; -1 is outside the image.

    Returns:
        bool array ``(N, *flat_index.shape)``; False outside the image.

    Raises:
        ValueError: Broken RLE, masks of different sizes, or an index beyond the image.
    """
    if len(rles) == 0:
        return np.zeros((0, *flat_index.shape), dtype=bool)
    size = tuple(rles[0]['size'])
    if any(tuple(rle['size']) != size for rle in rles):
        raise ValueError(f'masks of one image differ in size: {[rle["size"] for rle in rles]}')
    inside, order, positions = _sorted_positions(flat_index, size)

    # A mask changes its value at the end of each run. Mark these changes on the sorted pixels;
    # their running parity is the mask.
    ends = [np.cumsum(rle_run_lengths(rle))[:-1] for rle in rles]
    owner = np.repeat(np.arange(len(rles)), [len(end) for end in ends])
    column = np.searchsorted(positions, np.concatenate(ends))
    changes = np.zeros((len(rles), len(positions) + 1), dtype=np.uint8)
    # uint8 may overflow, which keeps the parity. A flat index and exclusive-or are fastest.
    np.add.at(changes.reshape(-1), owner * changes.shape[1] + column, np.uint8(1))
    in_mask = np.bitwise_xor.accumulate(changes & 1, axis=1)
    # The column after the last pixel stands for outside. Gathering is faster than scattering.
    in_mask[:, -1] = 0
    place = np.full(flat_index.size, len(positions))
    place[inside[order]] = np.arange(len(positions))
    values = np.take(in_mask, place, axis=1).view(bool)
    return values.reshape(len(rles), *flat_index.shape)


def _sorted_positions(
    flat_index: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels inside the image, their column-major order and sorted positions."""
    height, width = size
    flat = flat_index.reshape(-1).astype(np.int64)
    if flat.size and flat.max() >= height * width:
        raise ValueError(f'pixel index {flat.max()} is outside a {height} x {width} mask')
    inside = np.flatnonzero(flat >= 0)
    rows, cols = np.divmod(flat[inside], width)
    positions = cols * height + rows
    order = np.argsort(positions, kind='stable')
    return inside, order, positions[order]


def _check_counts(counts: Sequence[int], most: int) -> np.ndarray:
    """Convert uncompressed counts to an array; Python integers may exceed int64."""
    if not isinstance(counts, (list, tuple)) or any(type(count) is not int for count in counts):
        raise ValueError('RLE counts must be a string or a list of integers')
    if not counts:
        raise ValueError('RLE counts are empty')
    if len(counts) > most:
        raise ValueError(f'RLE has {len(counts)} runs, more than pixels')
    if min(counts) < 0:
        raise ValueError(f'RLE has a run of negative length {show_value(min(counts))}')
    if max(counts) >= most:
        longest = show_value(max(counts))
        raise ValueError(f'RLE has a run of {longest} pixels, the mask has {most - 1}')
    return np.array(counts, dtype=np.int64)


def _decode_counts(counts: str | bytes, most: int) -> np.ndarray:
    """Unpack compressed COCO counts into at most ``most`` run lengths."""
    try:
        raw = counts.encode('ascii') if isinstance(counts, str) else counts
    except UnicodeEncodeError as error:
        raise ValueError(f'RLE counts contain a character outside the format: {error}') from error
    digits = np.frombuffer(raw, dtype=np.uint8).astype(np.int64) - _FIRST_CHAR
    if digits.size == 0:
        raise ValueError('RLE counts are empty')
    if digits.min() < 0 or digits.max() > (_MORE_BIT | _DATA_BITS):
        raise ValueError('RLE counts contain a character outside the format')
    last = np.flatnonzero((digits & _MORE_BIT) == 0)
    if last.size == 0 or last[-1] != digits.size - 1:
        raise ValueError('RLE counts end within a number')
    if last.size > most:
        raise ValueError(f'RLE has {last.size} runs, more than pixels')

    starts = np.concatenate(([0], last[:-1] + 1))
    lengths = last - starts + 1
    if lengths.max() > _MAX_DIGITS:
        raise ValueError('RLE counts contain a number that is too large')
    shifts = 5 * (np.arange(digits.size) - np.repeat(starts, lengths))
    runs = np.add.reduceat((digits & _DATA_BITS) << shifts, starts)
    runs -= np.where(digits[last] & _SIGN_BIT, np.int64(1) << (5 * lengths), 0)
    # From the fourth run on: differences to the run two places before.
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
