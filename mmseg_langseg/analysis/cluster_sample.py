"""Masks by cluster: counts, labels, and random crops."""

from __future__ import annotations

import numpy as np


class ClusterSample:
    """Counts and a random sample of the masks of each cluster, in bounded memory.

    Args:
        num_clusters: Number of clusters K.
        size: Number of crops to keep per cluster, each with the same probability.
        num_labels: Number of labels; 0 if labels are unknown.
        seed: Seed of the sample.

    Attributes:
        images: Number of images that the masks are of.
        masks: Number of masks, ``(K,)`` int64.
        labels: Number of masks by label, ``(K, num_labels)`` int64.
        crops: Crops of each cluster, uint8 ``(h, w, 3)`` RGB.
    """

    def __init__(self, num_clusters: int, size: int, num_labels: int = 0, seed: int = 0) -> None:
        self.size = size
        self.images = 0
        self.masks = np.zeros(num_clusters, np.int64)
        self.labels = np.zeros((num_clusters, num_labels), np.int64)
        self.crops: list[list[np.ndarray]] = [[] for _ in range(num_clusters)]
        self._rng = np.random.default_rng(seed)

    def place(self, cluster: int, label: int = -1) -> int | None:
        """Count a mask and draw whether it is kept (reservoir sampling).

        Args:
            cluster: Its cluster.
            label: Its label; -1 if unknown.

        Returns:
            The place for :meth:`keep`; None if the mask is not kept.
        """
        seen = int(self.masks[cluster])
        self.masks[cluster] += 1
        if label >= 0:
            self.labels[cluster, label] += 1
        place = seen if seen < self.size else int(self._rng.integers(seen + 1))
        return place if place < self.size else None

    def keep(self, cluster: int, place: int, crop: np.ndarray) -> None:
        """Keep the crop of a mask, possibly instead of an earlier one."""
        crops = self.crops[cluster]
        if place == len(crops):
            crops.append(crop)
        else:
            crops[place] = crop

    def purity(self) -> list[float | None]:
        """Share of the most frequent label among the labeled masks of each cluster.

        Returns:
            None for clusters without labeled masks.
        """
        totals = self.labels.sum(1)
        tops = self.labels.max(1, initial=0)
        return [float(top / all_) if all_ else None for top, all_ in zip(tops, totals, strict=True)]

    def mean_purity(self) -> float | None:
        """Purity of all clusters, weighted by their labeled masks; None without labels."""
        total = self.labels.sum()
        return float(self.labels.max(1, initial=0).sum() / total) if total else None
