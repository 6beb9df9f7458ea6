"""Run-length code of Label Studio's brush masks."""

from __future__ import annotations

import numpy as np

_SIZES = np.array([3, 4, 8, 16])
_LONGEST = 2**16
_CHANNELS = 4


def encode_brush_rle(mask: np.ndarray) -> list[int]:
    """Encode a mask in the run-length code of ``rle-pack``, which Label Studio uses.

    The code has 32 bits for the number of values, 5 for the bits per value less one, four times 4
    for the possible bits of a run length less one; then for each run: a 1, two bits that select the
    bits of the length, the length less one, and the value.

    Args:
        mask: bool ``(H, W)``.

    Returns:
        Bytes of the code of the RGBA image, whose channels are 255 in the mask and 0 elsewhere.
    """
    flat = np.asarray(mask, bool).ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    lengths = np.diff(starts, append=flat.size) * _CHANNELS
    # Long runs are divided.
    pieces = -(-lengths // _LONGEST)
    values = np.repeat(np.where(flat[starts], 255, 0), pieces)
    last = np.cumsum(pieces) - 1
    lengths_of_pieces = np.full(len(values), _LONGEST)
    lengths_of_pieces[last] = lengths - (pieces - 1) * _LONGEST
    choice = np.searchsorted(2**_SIZES, lengths_of_pieces)
    size = _SIZES[choice]
    codes = (((4 + choice) << size | lengths_of_pieces - 1) << 8) | values
    header = [(flat.size * _CHANNELS, 32), (8 - 1, 5), *((int(s) - 1, 4) for s in _SIZES)]
    codes = np.concatenate([np.array([code for code, _ in header]), codes])
    bits = np.concatenate([np.array([count for _, count in header]), 1 + 2 + size + 8])
    # Position of each bit within its code, counted from the right.
    shift = np.repeat(np.cumsum(bits), bits) - 1 - np.arange(bits.sum())
    return np.packbits((np.repeat(codes, bits) >> shift) & 1).tolist()
