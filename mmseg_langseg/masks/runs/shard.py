"""Parts of a run that several processes share."""

from __future__ import annotations

import argparse


def parse_shard(text: str) -> tuple[int, int]:
    """Read the part of a run that a command line names.

    Args:
        text: ``i/n``: of the sorted files take the i-th (from 0 on) and every n-th from there.

    Returns:
        (i, n).

    Raises:
        argparse.ArgumentTypeError: It is no such part.
    """
    index, slash, count = text.partition('/')
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"'{text}' is no shard; expected I/N with 0 <= I < N")
    return int(index), int(count)
