"""Batched Euclidean k-means and spherical k-means."""

from .batched_kmeans import batched_kmeans
from .spherical_kmeans import seed_centroids, spherical_kmeans

__all__ = [
    'batched_kmeans',
    'seed_centroids',
    'spherical_kmeans',
]
