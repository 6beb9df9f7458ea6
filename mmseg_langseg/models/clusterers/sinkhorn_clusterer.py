"""PixelCLIP's online clustering of masks with Sinkhorn."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from .base_clusterer import BaseClusterer
from .sinkhorn import sinkhorn


@MODELS.register_module()
class SinkhornClusterer(BaseClusterer):
    """Assigns the masks of the global batch to prototypes, balanced (PixelCLIP, Sec. 3.3).

    Args:
        num_clusters: Number of clusters K.
        scale: Inverse temperature ``1 / eps``: 100 for the ViT, 1 for ConvNeXt in the paper.
        iterations: Sinkhorn iterations.
    """

    def __init__(self, num_clusters: int, scale: float = 100.0, iterations: int = 3) -> None:
        super().__init__(num_clusters, scale)
        self.iterations = iterations

    @torch.no_grad()
    def assign(self, features: Tensor, prototypes: Tensor) -> Tensor:
        """See :meth:`BaseClusterer.assign`; a collective call that every process must make."""
        return sinkhorn(self.logits(features, prototypes), self.iterations).argmax(1)
