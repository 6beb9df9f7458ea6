"""Prototypes for unknown classes (CLIP-S⁴)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, all_reduce
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_langseg.kmeans import seed_centroids, spherical_kmeans

from .base_clusterer import BaseClusterer


@MODELS.register_module()
class UnknownPrototypes(BaseClusterer):
    """Unit-norm prototypes of CLIP segment embeddings that are assigned to no known class.

    CLIP-S⁴ (CVPR 2023) learns prototypes of unknown classes by clustering during training; how is
    not known. Here they are initialized by spherical k-means (run by ``MaskClusteringHook``); then
    each prototype is an exponential moving average, on the sphere, of the segments assigned to it,
    and is re-seeded from a segment of the batch after ``patience`` iterations without any. They
    are in the joint space of the frozen CLIP, and equal on 1 and on N processes. All state is in
    buffers: it is saved in training checkpoints and receives no gradients.

    Args:
        num_clusters: K_u. Earlier work of CLIP-S⁴'s group reports that fewer than 128 hurt on VOC.
        embed_dim: D, given by the head.
        momentum: Weight of the old prototype in the new one, in [0, 1].
        patience: Iterations without a segment after which a prototype is re-seeded.
        seed: Seed of the random start and of all draws; the global random state is not touched.

    Raises:
        ValueError: If ``momentum`` or ``patience`` is out of range.
    """

    prototypes: Tensor
    idle: Tensor
    steps: Tensor

    def __init__(
        self,
        num_clusters: int,
        embed_dim: int,
        momentum: float = 0.99,
        patience: int = 500,
        seed: int = 0,
    ) -> None:
        super().__init__(num_clusters)
        if not 0 <= momentum <= 1:
            raise ValueError(f'momentum={momentum}: expected a number from 0 to 1.')
        if patience < 1:
            raise ValueError(f'patience={patience}: expected at least 1 iteration.')
        self.momentum = momentum
        self.patience = patience
        self.seed = seed
        start = torch.randn(num_clusters, embed_dim, generator=_generator(seed))
        self.register_buffer('prototypes', F.normalize(start, dim=1))
        self.register_buffer('idle', torch.zeros(num_clusters, dtype=torch.long))
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def initialize(self, features: Tensor) -> None:
        """Initializes the prototypes by spherical k-means on features.

        Args:
            features: ``(M, D)``, in any order. With fewer than K_u of them, the remaining
                prototypes keep their random start until they are re-seeded.
        """
        rows = F.normalize(features.float(), dim=1)
        rows = rows[rows.any(1)]
        if not len(rows):
            return
        # The order of the features depends on the number of processes.
        rows = rows[self._lottery(rows, 0).argsort()][None]
        count = min(self.num_clusters, rows.shape[1])
        _, centroids = spherical_kmeans(rows, seed_centroids(rows, count, self.seed), 20)
        self.prototypes[:count] = centroids[0]

    @torch.no_grad()
    def assign(self, features: Tensor, prototypes: Tensor | None = None) -> Tensor:
        """Assigns each feature to the nearest own prototype, ``(M, D) -> (M,)`` int64."""
        own = self.prototypes if prototypes is None else prototypes
        return self.logits(features, own).argmax(1)

    @torch.no_grad()
    def update(self, ids: Tensor, features: Tensor | None = None) -> None:
        """Updates the prototypes (EMA) with the features of all processes; a collective call.

        Args:
            ids: ``(M,)`` int64 prototype of each feature; M may be 0.
            features: ``(M, D)``. Zero rows are ignored.

        Raises:
            ValueError: If there are no features.
        """
        if features is None:
            raise ValueError('features=None: UnknownPrototypes needs the assigned features (M, D).')
        rows = F.normalize(features.float(), dim=1)
        ids, rows = ids[rows.any(1)], rows[rows.any(1)]
        before = self.usage.clone()
        super().update(ids)
        used = self.usage > before
        sums = torch.zeros_like(self.prototypes).index_add(0, ids, rows)
        all_reduce(sums)
        means = F.normalize(sums, dim=1)
        moved = F.normalize(self.momentum * self.prototypes + (1 - self.momentum) * means, dim=1)
        self.prototypes.copy_(torch.where(used[:, None], moved, self.prototypes))
        self.idle.copy_(torch.where(used, 0, self.idle + 1))
        self.steps += 1
        self._reseed(rows)

    def _reseed(self, rows: Tensor) -> None:
        """Replaces dead prototypes with rows of the global batch, the same on every process."""
        dead = (self.idle >= self.patience).nonzero()[:, 0]
        if not len(dead):
            return
        # A random choice among the rows of all processes, independent of how they are distributed.
        draws = self._lottery(rows, int(self.steps))
        best = draws.topk(min(len(dead), len(rows))).indices
        offers = rows.new_zeros(len(dead), rows.shape[1])
        offers[: len(best)] = rows[best]
        prizes = rows.new_full((len(dead),), -torch.inf)
        prizes[: len(best)] = draws[best]
        offers, prizes = torch.cat(all_gather(offers)), torch.cat(all_gather(prizes))
        winners = prizes.topk(len(dead)).indices
        winners = winners[prizes[winners] > -torch.inf]
        dead = dead[: len(winners)]
        self.prototypes[dead] = offers[winners]
        self.idle[dead] = 0

    def _lottery(self, rows: Tensor, draw: int) -> Tensor:
        """Computes pseudo-random numbers ``(M,)`` that depend only on the row and the draw."""
        generator = _generator(self.seed + 1 + draw)
        direction = torch.randn(rows.shape[1], generator=generator).to(rows)
        return (rows * direction).sum(1)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
