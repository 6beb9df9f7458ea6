"""Learnable centroids without text (ablation)."""

from __future__ import annotations

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn

from .open_clip_text_encoder import OpenCLIPTextEncoder


@MODELS.register_module()
class FreeCentroids(nn.Module):
    """k learnable centroids in the joint space: PixelCLIP's ablation without the text encoder.

    Args:
        text_encoder: Only its embedding width is used.
        num_clusters: k.
        seed: Seed of the random start and of :meth:`initialize`. The global state is not touched.

    Raises:
        ValueError: If ``num_clusters`` is not positive.
    """

    def __init__(
        self, text_encoder: OpenCLIPTextEncoder, num_clusters: int = 64, seed: int = 0
    ) -> None:
        super().__init__()
        if num_clusters < 1:
            raise ValueError(f'num_clusters={num_clusters}: expected at least 1.')
        self.num_clusters = num_clusters
        self.seed = seed
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(num_clusters, text_encoder.embed_dim, generator=generator)
        self.centroids = nn.Parameter(F.normalize(start, dim=-1))

    def forward(self, text_encoder: OpenCLIPTextEncoder | None = None) -> Tensor:
        """Returns the centroids ``(K, D)`` float32, not normalized."""
        return self.centroids.float()

    @torch.no_grad()
    def initialize(self, features: Tensor) -> None:
        """Initializes the centroids by spherical k-means on mask features.

        Args:
            features: ``(M, D)``. With fewer than k (distinct) features, the remaining centroids
                keep their random start.
        """
        points = F.normalize(features.detach().float().cpu(), dim=-1).double().numpy()
        points = points[np.isfinite(points).all(1) & (np.abs(points).sum(1) > 0)]
        count = min(self.num_clusters, len(np.unique(points, axis=0)))
        if count == 0:
            return
        centers = _spherical_kmeans(points, count, self.seed)
        self.centroids[:count] = torch.from_numpy(centers).to(self.centroids)


def _spherical_kmeans(points: np.ndarray, count: int, seed: int, rounds: int = 20) -> np.ndarray:
    """Computes unit centers ``(count, D)``: k-means, projected onto the sphere in each round."""
    rng = np.random.default_rng(seed)
    distinct = np.unique(points, axis=0)
    centers = distinct[rng.choice(len(distinct), count, replace=False)]
    for _ in range(rounds):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # empty clusters keep their center
            means, _ = kmeans2(points, centers, iter=1, minit='matrix')
        length = np.linalg.norm(means, axis=1, keepdims=True)
        usable = length > 1e-8  # if members cancel out, the center stays
        updated = np.where(usable, means / np.where(usable, length, 1), centers)
        if np.allclose(updated, centers):
            break
        centers = updated
    return centers
