"""Batched Euclidean k-means (Lloyd's algorithm)."""

from __future__ import annotations

import torch
from torch import Tensor


def batched_kmeans(
    points: Tensor,
    num_clusters: int,
    max_iterations: int = 100,
    tolerance: float = 1e-4,
    init: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run batched k-means (Lloyd's algorithm) without a loop over the point sets.

    A set whose centroids moved by no more than the tolerance is frozen, so its result does not
    depend on the other sets of the batch. A cluster that loses all points keeps its centroid.

    Args:
        points: (B, N, D) float.
        num_clusters: k, at most N.
        max_iterations: Maximum number of updates.
        tolerance: A set has converged when the squared shifts of its centroids sum to no more.
        init: (B, k, D) initial centroids; ``None``: k distinct random points of each set.

    Returns:
        Cluster of each point (B, N) int64 in [0, k), and the centroids (B, k, D) in float32.

    Raises:
        ValueError: k is larger than N.
    """
    batch, num_points, _ = points.shape
    if num_clusters > num_points:
        raise ValueError(
            f'k-means with {num_clusters} clusters needs at least as many points, got '
            f'{num_points}; use a larger image or fewer clusters'
        )
    with torch.autocast(points.device.type, enabled=False):
        points = points.float()
        if init is None:
            order = torch.rand(batch, num_points, device=points.device).argsort(1)
            chosen = order[:, :num_clusters, None].expand(-1, -1, points.shape[2])
            init = points.gather(1, chosen)
        centroids = init.float()
        done = torch.zeros(batch, 1, 1, dtype=torch.bool, device=points.device)
        for _ in range(max_iterations):
            updated = _update(points, centroids, _nearest(points, centroids))
            updated = torch.where(done, centroids, updated)
            moved = (updated - centroids).square().sum((1, 2), keepdim=True)
            centroids = updated
            done = done | (moved <= tolerance)
            if done.all():
                break
        return _nearest(points, centroids), centroids


def _nearest(points: Tensor, centroids: Tensor) -> Tensor:
    """Index of the nearest centroid, (B, N); |x|^2 is the same for all and is left out."""
    distance = centroids.square().sum(2)[:, None] - 2 * points @ centroids.transpose(1, 2)
    return distance.argmin(2)


def _update(points: Tensor, centroids: Tensor, assignment: Tensor) -> Tensor:
    """Means of the assigned points, (B, k, D)."""
    member = torch.nn.functional.one_hot(assignment, centroids.shape[1]).to(points.dtype)
    count = member.sum(1)[:, :, None]
    means = member.transpose(1, 2) @ points / count.clamp(min=1)
    return torch.where(count > 0, means, centroids)
