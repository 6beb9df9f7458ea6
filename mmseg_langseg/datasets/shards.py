"""Grouping of samples by the tar or folder that they are stored in."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from mmengine.fileio import BaseStorageBackend

from mmseg_langseg.fileio import TarBackend


def split_into_shards(
    path_of: Callable[[int], str], count: int, backend: BaseStorageBackend
) -> list[np.ndarray]:
    """Group files by tar, or by folder if they are in no tar.

    Args:
        path_of: Returns the path of a file from its index.
        count: Number of files.
        backend: File backend of the paths.

    Returns:
        int64 arrays of indices, which together are ``range(count)``; in a tar in the order in which
        the files are stored, in a folder in the order of the indices.
    """
    folders: dict[str, array] = defaultdict(lambda: array('q'))
    for index in range(count):
        folders[path_of(index).rpartition('/')[0]].append(index)
    if not isinstance(backend, TarBackend):
        return [np.array(indices) for indices in folders.values()]
    shards: dict[tuple[bool, str], array] = defaultdict(lambda: array('q'))
    for folder, indices in folders.items():
        tar = backend.tar_of(folder)
        shards[tar is not None, tar or folder].extend(indices)
    return [
        _in_stored_order(np.array(indices), path_of, backend) if in_tar else np.array(indices)
        for (in_tar, _), indices in shards.items()
    ]


def _in_stored_order(
    indices: np.ndarray, path_of: Callable[[int], str], backend: TarBackend
) -> np.ndarray:
    return indices[backend.stored_order([path_of(index) for index in indices.tolist()])]
