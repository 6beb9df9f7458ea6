"""Batched spherical k-means with k-means++ initialization."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def spherical_kmeans(
    points: Tensor, init: Tensor, iterations: int = 10, valid: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Run batched spherical k-means without a loop over the point sets.

    CLIP-S⁴ (CVPR 2023) clusters embeddings into segments but does not specify the algorithm; this
    is the one of SegSort, SPML and HSG: for a fixed number of iterations, each point is assigned
    to the centroid with the largest cosine, and each centroid moves to the normalized mean of its
    points. Computed in float32; the sets are independent. A cluster that loses all points keeps
    its centroid; a cluster with a zero initial centroid gets no points.

    Args:
        points: ``(N, P, D)``.
        init: ``(N, K, D)`` initial centroids, e.g. from :func:`seed_centroids`.
        iterations: Number of iterations, at least 1.
        valid: ``(N, P)`` bool, the points to cluster; ``None``: all.

    Returns:
        Cluster of each point ``(N, P)`` int64, -1 for invalid points, and centroids
        ``(N, K, D)`` float32 of norm 1 (or zero).
    """
    if iterations < 1:
        raise ValueError(f'iterations={iterations}: expected at least 1; use 1 for one assignment.')
    if valid is None:
        valid = points.new_ones(points.shape[:2], dtype=torch.bool)
    with torch.autocast(points.device.type, enabled=False):
        points = F.normalize(points.float(), dim=2)
        centroids = F.normalize(init.float(), dim=2)
        for _ in range(iterations):
            ids = _nearest(points, centroids)
            centroids = _move(points, ids, valid, centroids)
    return ids.masked_fill(~valid, -1), centroids


def _nearest(points: Tensor, centroids: Tensor) -> Tensor:
    """Centroid with the largest cosine, ``(N, P)``."""
    cosines = points @ centroids.transpose(1, 2)
    return cosines.masked_fill(~centroids.any(2)[:, None], -torch.inf).argmax(2)


def _move(points: Tensor, ids: Tensor, valid: Tensor, centroids: Tensor) -> Tensor:
    """Normalized means of the valid points of each cluster, ``(N, K, D)``."""
    member = F.one_hot(ids, centroids.shape[1]) * valid[:, :, None]
    means = F.normalize(member.to(points.dtype).transpose(1, 2) @ points, dim=2)
    return torch.where(member.any(1)[:, :, None], means, centroids)


@torch.no_grad()
def seed_centroids(
    points: Tensor, num_clusters: int, seed: int, valid: Tensor | None = None
) -> Tensor:
    """Choose initial centroids by k-means++ with the distance ``1 - cos``.

    The random draws come from a separate generator and are the same for all sets and devices: the
    global random state is unchanged, and a set's centroids do not depend on the other sets.

    Args:
        points: ``(N, P, D)``.
        num_clusters: K, at most P. A set with fewer valid points repeats some.
        seed: Random seed.
        valid: ``(N, P)`` bool, the points that may be chosen; ``None``: all.

    Returns:
        ``(N, K, D)`` float32 of norm 1; zero for sets without valid points.
    """
    if not 1 <= num_clusters <= points.shape[1]:
        raise ValueError(
            f'num_clusters={num_clusters} for {points.shape[1]} points: expected 1 to the number '
            'of points; ask for fewer clusters or collect more points.'
        )
    if valid is None:
        valid = points.new_ones(points.shape[:2], dtype=torch.bool)
    # With float32 draws and float64 sums, the product below can never round up to the total mass.
    draws = torch.rand(num_clusters, generator=torch.Generator().manual_seed(seed)).tolist()
    with torch.autocast(points.device.type, enabled=False):
        points = F.normalize(points.float(), dim=2) * valid[:, :, None]
        weight = valid.double()
        mass, gap = weight, torch.full_like(weight, torch.inf)
        sets = torch.arange(len(points), device=points.device)
        chosen = []
        for draw in draws:
            chosen.append(points[sets, _pick(mass, draw)])
            cosine = (points @ chosen[-1][:, :, None])[:, :, 0].double()
            gap = torch.minimum(gap, (1 - cosine).clamp_min(0))
            mass = gap * weight
            # If all points are already chosen, choose any of them again.
            mass = torch.where(mass.any(1, keepdim=True), mass, weight)
    return torch.stack(chosen, dim=1)


def _pick(mass: Tensor, draw: float) -> Tensor:
    """Point of each set ``(N,)`` where the cumulative mass exceeds ``draw`` times the total."""
    running = mass.cumsum(1)
    place = torch.searchsorted(running, draw * running[:, -1:], right=True)[:, 0]
    return place.clamp_max(mass.shape[1] - 1)
