"""Command-line option for sharding a run over several processes."""

from __future__ import annotations

import argparse


def parse_shard(text: str) -> tuple[int, int]:
    """Parse the shard of a run from a command-line argument.

    Args:
        text: ``i/n``: every n-th of the sorted files, starting with the i-th (counted from 0).

    Returns:
        (i, n).

    Raises:
        argparse.ArgumentTypeError: The text is not a shard.
    """
    index, slash, count = text.partition('/')
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a shard; expected I/N with 0 <= I < N")
    return int(index), int(count)
