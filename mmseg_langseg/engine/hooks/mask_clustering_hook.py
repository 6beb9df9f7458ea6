"""Hook that initializes, updates and logs the mask clusterer."""

from __future__ import annotations

from itertools import islice

import numpy as np
import torch
from mmengine.dist import all_gather, broadcast
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from .unwrap import unwrap_model


@HOOKS.register_module()
class MaskClusteringHook(Hook):
    """Initialize, update and log the clusters that masks are assigned to.

    * Before a new training, prototypes that need it (``FreeCentroids``, ``UnknownPrototypes``) are
      initialized from the mask or region features of some batches; a resumed training keeps those
      of its checkpoint.
    * After every iteration the clusterer's usage is updated with the assignments of all processes.
    * Every ``interval`` iterations the usage is logged and reset: ``cluster/entropy`` (1 is
      uniform), ``cluster/dead``, ``cluster/largest`` (shares) and ``cluster/assigned`` (masks) as
      scalars. Every ``histogram_interval`` iterations the sorted histogram since the last reset is
      sent to every visualization backend as an image.

    Args:
        interval: Iterations between two logs of the usage; ideally that of the logger.
        histogram_interval: Iterations between two histograms.
        init_batches: Training batches to initialize prototypes from; all batches if the loader has
            fewer.
    """

    def __init__(
        self, interval: int = 50, histogram_interval: int = 1000, init_batches: int = 8
    ) -> None:
        self.interval = interval
        self.histogram_interval = histogram_interval
        self.init_batches = init_batches
        self.histogram = 0

    def before_train(self, runner: Runner) -> None:
        """Initialize the prototypes of a new training."""
        model = unwrap_model(runner.model, 'decode_head', type(self).__name__)
        parts = [getattr(model.decode_head, name, None) for name in ('prompts', 'clusterer')]
        wanting = [part for part in parts if hasattr(part, 'initialize')]
        if runner.iter > 0 or not wanting:
            return
        features = self._collect(runner, model)
        for prototypes in wanting:
            prototypes.initialize(features)
            for value in (*prototypes.parameters(), *prototypes.buffers()):
                broadcast(value.data)
        runner.logger.info(f'Clusters initialized from {len(features)} mask features.')

    def _collect(self, runner: Runner, model: nn.Module) -> Tensor:
        model.eval()
        collected = []
        # A separate loader: an infinite sampler supports one iterator only, and a resumed training
        # must get the same batches as an uninterrupted one.
        loader = runner.build_dataloader(runner.cfg.train_dataloader, seed=runner.seed)
        for batch in islice(loader, self.init_batches):
            data = model.data_preprocessor(batch, True)
            collected.append(model.mask_features(**data))
        model.train()
        # Processes may hold different numbers of masks: pad to the largest, then cut.
        local = torch.cat(collected)
        counts = [int(n) for n in all_gather(torch.tensor([len(local)], device=local.device))]
        padded = local.new_zeros(max(counts), local.shape[1])
        padded[: len(local)] = local
        gathered = all_gather(padded)
        return torch.cat([rows[:n] for rows, n in zip(gathered, counts, strict=True)])

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Update the usage and log it."""
        head = unwrap_model(runner.model, 'decode_head', type(self).__name__).decode_head
        clusterer = getattr(head, 'clusterer', None)
        if clusterer is None or head.last_assignment is None:
            return
        clusterer.update(head.last_assignment, getattr(head, 'last_features', None))
        if self.every_n_train_iters(runner, self.histogram_interval):
            picture = usage_histogram(clusterer.usage.cpu().numpy())
            runner.visualizer.add_image('cluster_usage', picture, step=runner.iter + 1)
        if self.every_n_train_iters(runner, self.interval):
            for name, value in clusterer.stats().items():
                runner.message_hub.update_scalar(f'train/cluster/{name}', value)
            clusterer.reset()


def usage_histogram(usage: np.ndarray, height: int = 120, bar: int = 6) -> np.ndarray:
    """Draw sorted usage counts ``(K,)`` as bars, with a line at the uniform share.

    Returns:
        RGB image ``(height, K * bar, 3)`` uint8.
    """
    share = np.sort(usage)[::-1] / max(usage.sum(), 1)
    top = max(share.max(), 1e-12)
    rows = np.arange(height)[::-1, None] / height
    filled = np.repeat(rows < share[None] / top, bar, axis=1)
    image = np.where(filled[..., None], (70, 120, 180), (255, 255, 255)).astype(np.uint8)
    uniform = height - 1 - int((height - 1) * min(1 / len(usage) / top, 1))
    image[uniform] = (200, 60, 40)
    return image
