"""Infinite sampler that reads a few shards at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count, islice

import numpy as np
from mmengine.logging import print_log
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import Dataset

from .seeded_infinite_sampler import SeededInfiniteSampler, Visit


@DATA_SAMPLERS.register_module()
class ShardShuffleSampler(SeededInfiniteSampler):
    """Infinite sampler that reads a few tars or folders at a time, nearly sequentially.

    In each epoch, the shards (tars or folders) are put into a random order and split into
    consecutive parts, one for each process; a shard may be cut between two of them. A process mixes
    ``num_shards`` shards at a time, each in its stored order, cuts this sequence into windows and
    shuffles each window. The processes together draw each sample once per epoch, if their
    number divides that of the samples; otherwise an epoch begins with some processes one sample
    before others.

    The order follows from the seed, the epoch, and the number and rank of the processes: a resumed
    training continues within an epoch where it was interrupted, at the cost of computing the order
    of a single epoch. Augmentations are reproducible as with :class:`SeededInfiniteSampler`.

    Args:
        dataset: Dataset with a method ``shards`` that returns an array of indices for each shard,
            such as :class:`UnlabeledMaskDataset`.
        shuffle: False keeps shards and samples in their stored order.
        seed: Seed; ``None`` draws one that all processes share.
        num_shards: Number of shards that each process mixes.
        window: Number of samples in a window, of all mixed shards together.

    Raises:
        TypeError: The dataset has no shards.
        ValueError: ``num_shards`` or ``window`` is not a positive integer.
    """

    def __init__(
        self,
        dataset: Dataset,
        shuffle: bool = True,
        seed: int | None = None,
        num_shards: int = 8,
        window: int = 4096,
    ) -> None:
        for name, value in (('num_shards', num_shards), ('window', window)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'{name} should be a positive integer, got {value!r}')
        if not hasattr(dataset, 'shards'):
            raise TypeError(
                f'{type(dataset).__name__} has no shards; expected UnlabeledMaskDataset or another '
                'dataset with a method shards, or use SeededInfiniteSampler'
            )
        super().__init__(dataset, shuffle, seed)
        self.num_shards = num_shards
        self.window = window
        self._shards = dataset.shards()
        if shuffle and len(self._shards) == 1 and window < self.size:
            print_log(
                f'all {self.size} samples are in a single tar or folder: ShardShuffleSampler reads '
                f'them in their stored order, shuffled within windows of {window} samples; '
                'SeededInfiniteSampler shuffles all of them',
                logger='current',
                level=logging.WARNING,
            )

    def skip(self, num_samples: int) -> None:
        """Go to an absolute position of this process, see ``InfiniteSampler.skip``.

        Raises:
            ValueError: The position is negative.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples should not be negative, got {num_samples}')
        epoch = (num_samples * self.world_size + self.rank) // self.size
        start = self._start(epoch, self.rank)
        self.indices = islice(self._visits(epoch), num_samples - start, None)

    def _indices_of_rank(self) -> Iterator[Visit]:
        return self._visits(0)

    def _visits(self, first_epoch: int) -> Iterator[Visit]:
        for epoch in count(first_epoch):
            for index in self._order(epoch):
                yield Visit(index, epoch)

    def _start(self, epoch: int, rank: int) -> int:
        """Return how many samples a process draws before an epoch: as many as in taking turns."""
        return (epoch * self.size + self.world_size - 1 - rank) // self.world_size

    def _order(self, epoch: int) -> Iterator[int]:
        """Yield the samples of this process in an epoch."""
        parts = self._parts(epoch)
        random = np.random.default_rng((self.seed, 2, epoch, 1 + self.rank))
        for start in range(0, len(parts), self.num_shards):
            group = parts[start : start + self.num_shards]
            yield from self._mix(group, random) if self.shuffle else np.concatenate(group).tolist()

    def _parts(self, epoch: int) -> list[np.ndarray]:
        """Return the shards of this process in an epoch, of which the outer ones may be cut."""
        shards = self._shards
        if self.shuffle:
            order = np.random.default_rng((self.seed, 2, epoch, 0)).permutation(len(shards))
            shards = [shards[i] for i in order]
        shares = [
            self._start(epoch + 1, rank) - self._start(epoch, rank) for rank in range(self.rank + 1)
        ]
        first, last = sum(shares[:-1]), sum(shares)
        parts, position = [], 0
        for shard in shards:
            part = shard[max(first - position, 0) : max(last - position, 0)]
            position += len(shard)
            if len(part):
                parts.append(part)
        return parts

    def _mix(self, group: list[np.ndarray], random: np.random.Generator) -> Iterator[int]:
        """Yield the samples of a few shards, shuffled within windows."""
        turns = random.permutation(np.repeat(np.arange(len(group)), [len(part) for part in group]))
        mixed = np.empty(len(turns), dtype=np.int64)
        mixed[np.argsort(turns, kind='stable')] = np.concatenate(group)
        for start in range(0, len(mixed), self.window):
            yield from random.permutation(mixed[start : start + self.window]).tolist()
