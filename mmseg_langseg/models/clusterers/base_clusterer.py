"""Base class of clusterers: assign features, update and report cluster usage."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn


class BaseClusterer(nn.Module):
    """Assigns features to clusters and tracks cluster usage.

    The usage is a buffer: it is saved in training checkpoints and restored on resume; a checkpoint
    without it sets it to zero. It is summed over all processes, so it is equal on each of them.

    Args:
        num_clusters: Number of clusters K.
        scale: Inverse temperature ``1 / eps`` that multiplies the cosines.
    """

    usage: Tensor

    def __init__(self, num_clusters: int, scale: float = 1.0) -> None:
        super().__init__()
        if num_clusters < 1:
            raise ValueError(f'num_clusters={num_clusters}: expected at least 1.')
        if scale <= 0:
            raise ValueError(f'scale={scale}: expected a positive inverse temperature.')
        self.num_clusters = num_clusters
        self.scale = scale
        self.register_buffer('usage', torch.zeros(num_clusters, dtype=torch.long))

    def logits(self, features: Tensor, prototypes: Tensor) -> Tensor:
        """Scaled float32 cosines ``(M, K)`` of features ``(M, D)`` and prototypes ``(K, D)``."""
        with torch.autocast(features.device.type, enabled=False):
            features = F.normalize(features.float(), dim=1)
            return self.scale * features @ F.normalize(prototypes.float(), dim=1).T

    def assign(self, features: Tensor, prototypes: Tensor | None = None) -> Tensor:
        """Assigns each feature to a cluster.

        Args:
            features: ``(M, D)``, M may be 0.
            prototypes: ``(K, D)``; None for clusterers with their own prototypes.

        Returns:
            Cluster ids ``(M,)`` int64.
        """
        raise NotImplementedError

    @torch.no_grad()
    def update(self, ids: Tensor, features: Tensor | None = None) -> None:
        """Adds the assignments of all processes to the usage.

        Args:
            ids: Cluster ids ``(M,)`` int64.
            features: The assigned features ``(M, D)``, for clusterers that update prototypes.
        """
        counts = torch.bincount(ids, minlength=self.num_clusters)
        all_reduce(counts)
        self.usage += counts

    def stats(self) -> dict[str, float]:
        """Computes usage statistics since the last reset.

        Returns:
            ``entropy`` (of the usage, divided by log K: 1 is uniform), ``dead`` (share of clusters
            without features), ``largest`` (share of features in the largest cluster) and
            ``assigned`` (number of features).
        """
        total = int(self.usage.sum())
        share = self.usage.double() / max(total, 1)
        entropy = torch.special.entr(share).sum()
        log_k = torch.tensor(float(max(self.num_clusters, 2))).log()
        return {
            'entropy': float(entropy / log_k),
            'dead': float((self.usage == 0).double().mean()),
            'largest': float(share.max()),
            'assigned': float(total),
        }

    def reset(self) -> None:
        """Sets the usage to zero."""
        self.usage.zero_()

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        state_dict.setdefault(f'{prefix}usage', torch.zeros_like(self.usage))
        super()._load_from_state_dict(state_dict, prefix, *args)
