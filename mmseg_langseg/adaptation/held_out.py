"""Choose the photos that a verdict is given on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

DEFAULT_SHARE = 0.2
FEWEST_HELD_OUT = 8
FEWEST_TRAINED = 4
MOST_BY_DEFAULT = 200


def split_photos(
    names: Sequence[str], share: float | None = None, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Split photos into held-out ones and those to train on, by a hash of their names.

    Args:
        names: Names of all usable photos.
        share: Share to hold out, at least 8 photos; None: 20 %, at most 200 photos.
        seed: Seed of the hash.

    Returns:
        The held-out names in random order, and the other names sorted.

    Raises:
        ValueError: There are too few photos.
    """
    fewest = FEWEST_HELD_OUT + FEWEST_TRAINED
    if len(names) < fewest:
        raise ValueError(
            f'Usable photos: {len(names)}; at least {fewest} are needed, {FEWEST_HELD_OUT} to '
            f'compare models on and {FEWEST_TRAINED} to train on.'
        )
    count = round(len(names) * (DEFAULT_SHARE if share is None else share))
    count = max(count if share is not None else min(count, MOST_BY_DEFAULT), FEWEST_HELD_OUT)
    if len(names) - count < FEWEST_TRAINED:
        raise ValueError(
            f'A held-out share of {share} leaves {len(names) - count} of {len(names)} photos to '
            f'train on; at least {FEWEST_TRAINED} are needed: hold out fewer.'
        )
    order = in_random_order(names, seed)
    return order[:count], sorted(order[count:])


def in_random_order(names: Sequence[str], seed: int = 0) -> list[str]:
    """Sort names by a hash of theirs, so that new names do not change the order of others."""

    def key(name: str) -> tuple[str, str]:
        return hashlib.sha256(f'{seed}/{name}'.encode()).hexdigest(), name

    return sorted(names, key=key)
