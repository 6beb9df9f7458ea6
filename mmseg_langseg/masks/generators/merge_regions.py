"""Hierarchical merging of adjacent superpixels (region adjacency graph)."""

from __future__ import annotations

import heapq
import math

import cv2
import numpy as np

from mmseg_langseg.masks.option_checks import check_integer

MAX_REGIONS = 65_535
"""Maximum regions per image: the ids must fit a 16-bit region map."""


def merge_regions(image: np.ndarray, regions: np.ndarray, max_regions: int) -> np.ndarray:
    """Merge adjacent regions, the most similar pair first, until ``max_regions`` are left.

    The cost of a pair is the distance of the mean Lab colors plus the edge strength (the mean
    Lab step from pixel to pixel across the common border), times the root of the smaller area:
    without this factor, small spots of a strong color would use up the regions. CLIP-S⁴ only
    states that its regions come from superpixels or contours; at most 48 per image is the setting
    of HSG, the merging rule is ours.

    Args:
        image: (H, W, 3) uint8 RGB.
        regions: (H, W) int, ids 0 ... n - 1.
        max_regions: Maximum number of regions to keep.

    Returns:
        int32 (H, W), ids 0 ... m - 1 with ``m <= max_regions``, in the order of the old ids.
        Merging does not break connectivity: merged pairs share a pixel side.

    Raises:
        ValueError: ``max_regions`` is not an integer from 1 to ``MAX_REGIONS``.
    """
    check_integer('max_regions', max_regions, 1, MAX_REGIONS)
    num_regions = int(regions.max()) + 1
    if num_regions > max_regions:
        lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        root = _Graph(lab, regions, num_regions).merge(max_regions)
        regions = np.unique(root, return_inverse=True)[1][regions]
    return regions.astype(np.int32)


class _Graph:
    """Region adjacency graph with region colors and border lengths."""

    def __init__(self, lab: np.ndarray, regions: np.ndarray, num_regions: int) -> None:
        flat = regions.ravel()
        area = np.bincount(flat, minlength=num_regions)
        sums = [np.bincount(flat, lab[..., c].ravel(), num_regions) for c in range(3)]
        self.area = area.tolist()
        self.color = (np.stack(sums, 1) / area[:, None]).tolist()
        # borders[a][b] = (length, summed step) of the border between the regions a and b.
        self.borders: list[dict[int, tuple[float, float]]] = [{} for _ in range(num_regions)]
        for a, b, length, step in zip(*_find_borders(lab, regions, num_regions), strict=True):
            self.borders[a][b] = self.borders[b][a] = (length, step)
        # Each merge increases a region's version, which invalidates its costs in the heap.
        self.version = [0] * num_regions
        self.heap: list[tuple] = []

    def merge(self, max_regions: int) -> np.ndarray:
        """Merge and return the region, (n,) int, that each region was merged into."""
        parent = list(range(len(self.area)))
        for a in range(len(parent)):
            self._push(a)
        for _ in range(len(parent) - max_regions):
            a, b = self._pop()
            self._join(a, b)
            parent[b] = a
        for a, up in enumerate(parent):
            # A parent has a smaller id, so it is already resolved.
            parent[a] = parent[up]
        return np.array(parent)

    def _push(self, a: int) -> None:
        """Push the merging costs of ``a`` and all its neighbors onto the heap."""
        color, area, version = self.color[a], self.area[a], self.version[a]
        for b, (length, step) in self.borders[a].items():
            distance = math.dist(color, self.color[b])
            cost = (distance + step / length) * math.sqrt(min(area, self.area[b]))
            entry = (cost, a, b, version, self.version[b])
            if b < a:
                entry = (cost, b, a, self.version[b], version)
            heapq.heappush(self.heap, entry)

    def _pop(self) -> tuple[int, int]:
        """Pop the cheapest pair whose cost is up to date; ties go to the smallest ids."""
        while True:
            _, a, b, version_a, version_b = heapq.heappop(self.heap)
            if (version_a, version_b) == (self.version[a], self.version[b]):
                return a, b

    def _join(self, a: int, b: int) -> None:
        """Merge ``b`` into ``a``."""
        area = self.area[a] + self.area[b]
        share = self.area[b] / area
        pairs = zip(self.color[a], self.color[b], strict=True)
        self.color[a] = [x + share * (y - x) for x, y in pairs]
        self.area[a] = area
        for other, (length, step) in self.borders[b].items():
            del self.borders[other][b]
            if other != a:
                old = self.borders[a].get(other, (0, 0))
                border = (old[0] + length, old[1] + step)
                self.borders[a][other] = self.borders[other][a] = border
        self.borders[b] = {}
        self.version[a] += 1
        self.version[b] += 1
        self._push(a)


def _find_borders(
    lab: np.ndarray, regions: np.ndarray, num_regions: int
) -> tuple[list[int], list[int], list[float], list[float]]:
    """Find pairs a < b of adjacent regions, their border lengths, and their summed Lab steps."""
    keys, steps = [], []
    for first, second in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
    ):
        left, right = regions[first], regions[second]
        border = left != right
        left, right = left[border].astype(np.int64), right[border].astype(np.int64)
        keys.append(np.minimum(left, right) * num_regions + np.maximum(left, right))
        steps.append(np.linalg.norm(lab[first][border] - lab[second][border], axis=1))
    pairs, index = np.unique(np.concatenate(keys), return_inverse=True)
    length = np.bincount(index, minlength=len(pairs))
    step = np.bincount(index, np.concatenate(steps), len(pairs))
    a, b = np.divmod(pairs, num_regions)
    return a.tolist(), b.tolist(), length.tolist(), step.tolist()
