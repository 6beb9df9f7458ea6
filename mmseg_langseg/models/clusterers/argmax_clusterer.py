"""Nearest-prototype clusterer, without balancing (ablation)."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from .base_clusterer import BaseClusterer


@MODELS.register_module()
class ArgmaxClusterer(BaseClusterer):
    """Assigns every feature to its most similar prototype (the ablation of Sinkhorn).

    Args:
        num_clusters: Number of clusters K.
        scale: Has no effect on the arg-max.
    """

    @torch.no_grad()
    def assign(self, features: Tensor, prototypes: Tensor) -> Tensor:
        """See :meth:`BaseClusterer.assign`."""
        return self.logits(features, prototypes).argmax(1)
