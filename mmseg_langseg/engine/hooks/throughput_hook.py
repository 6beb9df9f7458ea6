"""Log the images per second of a training and the share of the time spent waiting for data."""

from __future__ import annotations

import time
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Add two scalars to every line of the training log and to the visualization backends.

    * ``images_per_second``, over all processes.
    * ``data_wait_share``, the share of the time in which the processes wait for the next batch.

    Both are means over as many iterations as the logger's ``interval``, up to the iteration before
    the logged one. Validation and label-free verdicts are left out; saving a checkpoint counts as
    part of an iteration. MMEngine itself logs ``time``, ``data_time`` (of one process, with
    validation and checkpoints as waiting) and, with a GPU, ``memory``.
    """

    # The last of all hooks: what other hooks do is part of the iteration.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.interval = 50
        self.mark: float | None = None
        self._clear()

    def _clear(self) -> None:
        self.images, self.waited, self.worked = 0, 0.0, 0.0

    def before_train(self, runner: Runner) -> None:
        """Take over the interval of the logger."""
        loggers = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
        if loggers:
            self.interval = loggers[0].interval
        self._clear()
        self.mark = None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Add the time since the last iteration, and publish the means if the next is logged."""
        now = time.perf_counter()
        if self.mark is not None:  # not the start of the data loader
            self.waited += now - self.mark
        self.mark = now
        if self.images and self.every_n_inner_iters(batch_idx, self.interval):
            self._publish(runner)
            self._clear()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Add the time and the images of the iteration."""
        now = time.perf_counter()
        self.worked += now - self.mark
        self.mark = now
        self.images += count_images(data_batch)

    def after_val(self, runner: Runner) -> None:
        """Leave the validation out."""
        self.mark = time.perf_counter()

    def leave_out(self, seconds: float) -> None:
        """Leave out a part of the time since the last iteration."""
        if self.mark is not None:
            self.mark += seconds

    def _publish(self, runner: Runner) -> None:
        sums = torch.tensor([self.images, self.waited, self.waited + self.worked, 1.0])
        all_reduce(sums)
        images, waited, total, processes = sums.tolist()
        hub = runner.message_hub
        hub.update_scalar('train/images_per_second', images / (total / processes))
        hub.update_scalar('train/data_wait_share', waited / total)


def count_images(data_batch: Any) -> int:
    """Return the number of images of a collated batch; two views are of one image."""
    if not isinstance(data_batch, dict):
        return len(data_batch)
    samples = data_batch.get('data_samples')
    return len(data_batch['inputs'] if samples is None else samples)
