"""Everything that reads weights through torch reads them as data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from unittest import mock

import torch

from .read_checkpoint import read_checkpoint


@contextmanager
def data_only_loading(trust: bool = False) -> Iterator[None]:
    """Within it, ``torch.load`` is :func:`read_checkpoint`, whoever calls it.

    MMEngine, MMPretrain, torch.hub, timm and segment-anything read weights through ``torch.load``,
    and most of them, with torch's default before 2.6 or as a fallback, by plain pickle, which runs
    whatever code a file holds.

    Args:
        trust: Change nothing: for files that one made oneself.

    Raises:
        UnsafeFileError: Within it, of a file that holds something else than data.
    """
    if trust:
        yield
        return
    with mock.patch.object(torch, 'load', _load):
        yield


def _load(f: str | os.PathLike | IO[bytes], map_location: Any = None, *_: Any, **__: Any) -> Any:
    return read_checkpoint(f, map_location)
