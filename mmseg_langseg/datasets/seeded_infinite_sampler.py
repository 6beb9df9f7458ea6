"""Infinite sampler with reproducible augmentations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Dataset, get_worker_info

from mmseg_langseg._random import seed_generators

from .worker_signals import ignore_sigterm_of_others


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """``InfiniteSampler`` whose samples are augmented reproducibly.

    Before a sample is loaded, Python's, numpy's and torch's global generators are seeded with the
    seed of the training, the epoch and the index of the sample. Augmentations thus depend neither
    on the data loader's workers and their number, nor on the number of processes, nor on where a
    training was interrupted. The order of the samples is that of ``InfiniteSampler``.

    The indices carry their epoch, and the dataset gets a ``__getitems__``, which torch's
    ``DataLoader`` calls with the indices of a batch. This works with any map-style dataset. If it
    has a ``prefetch_files``, this is called with these indices first.

    Args:
        dataset: Dataset.
        shuffle: Whether to shuffle the samples of each epoch.
        seed: Seed; ``None`` draws one that all processes share.
    """

    def __init__(self, dataset: Dataset, shuffle: bool = True, seed: int | None = None) -> None:
        super().__init__(dataset, shuffle, seed)
        dataset.__getitems__ = _SeededItems(dataset, self.seed)

    def _infinite_indices(self) -> Iterator[int]:
        for position, index in enumerate(super()._infinite_indices()):
            yield Visit(index, position // self.size)


class Visit(int):
    """Index of a sample, with the epoch it is drawn in."""

    epoch: int

    def __new__(cls, index: int, epoch: int = 0) -> Visit:  # noqa: D102
        visit = super().__new__(cls, index)
        visit.epoch = epoch
        return visit


class _SeededItems:
    """Load the samples of a batch, each with its own seed."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed

    def __call__(self, visits: Sequence[int]) -> list[Any]:
        if get_worker_info() is not None:
            ignore_sigterm_of_others()
        if hasattr(self.dataset, 'prefetch_files'):
            self.dataset.prefetch_files([int(visit) for visit in visits])
        return [self._load(visit) for visit in visits]

    def _load(self, visit: int) -> Any:
        seed_generators(self.seed, 0, getattr(visit, 'epoch', 0), int(visit))
        return self.dataset[int(visit)]
