"""Seed the random generators of each training iteration."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_langseg._random import seed_generators


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed Python's, numpy's and torch's generators before each training iteration.

    The seed follows from that of the training, the iteration and the process. A resumed training
    thus repeats the random numbers of an uninterrupted one: dropout, stochastic depth and
    augmentations on the device. Those of the data loader are seeded by ``SeededInfiniteSampler``.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the generators."""
        seed_generators(runner.seed, 1, runner.iter, get_rank())
