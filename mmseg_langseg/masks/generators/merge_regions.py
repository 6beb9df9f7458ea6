"""Merging of neighboring regions until few are left."""

from __future__ import annotations

import heapq
import math

import cv2
import numpy as np

from mmseg_langseg.masks.option_checks import check_integer

MAX_REGIONS = 65_535
"""Most regions of an image: their numbers must fit a region map of 16 bits."""


def merge_regions(image: np.ndarray, regions: np.ndarray, max_regions: int) -> np.ndarray:
    """Merge neighboring regions, the most alike pair first, until ``max_regions`` are left.

    The cost of a pair is the distance of its mean Lab colors plus its edge strength (the mean
    Lab step from pixel to pixel along the common border), times the root of the smaller area:
    without it, specks of a strong color would use up the regions. CLIP-S⁴ says only that its
    regions come from superpixels or contours; at most 48 an image is the setting of HSG, the rule
    is ours.

    Args:
        image: (H, W, 3) uint8 RGB.
        regions: (H, W) int, ids 0 ... n - 1.
        max_regions: Regions that may remain.

    Returns:
        int32 (H, W), ids 0 ... m - 1 with ``m <= max_regions``, in the order of the old ids. A
        merged region is as connected as its parts: pairs share a side of a pixel.

    Raises:
        ValueError: ``max_regions`` is no integer from 1 to :data:`MAX_REGIONS`.
    """
    check_integer('max_regions', max_regions, 1, MAX_REGIONS)
    num_regions = int(regions.max()) + 1
    if num_regions > max_regions:
        lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        root = _Graph(lab, regions, num_regions).merge(max_regions)
        regions = np.unique(root, return_inverse=True)[1][regions]
    return regions.astype(np.int32)


class _Graph:
    """Regions with their colors, and the borders between them."""

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
        # A region's version grows with each merge, which outdates its costs in the heap.
        self.version = [0] * num_regions
        self.heap: list[tuple] = []

    def merge(self, max_regions: int) -> np.ndarray:
        """Merge and return the region, (n,) int, that each region has become part of."""
        parent = list(range(len(self.area)))
        for a in range(len(parent)):
            self._push(a)
        for _ in range(len(parent) - max_regions):
            a, b = self._pop()
            self._join(a, b)
            parent[b] = a
        for a, up in enumerate(parent):
            # A parent has a smaller id, so it is resolved.
            parent[a] = parent[up]
        return np.array(parent)

    def _push(self, a: int) -> None:
        """Put the costs of a with all its neighbors into the heap."""
        color, area, version = self.color[a], self.area[a], self.version[a]
        for b, (length, step) in self.borders[a].items():
            distance = math.dist(color, self.color[b])
            cost = (distance + step / length) * math.sqrt(min(area, self.area[b]))
            entry = (cost, a, b, version, self.version[b])
            if b < a:
                entry = (cost, b, a, self.version[b], version)
            heapq.heappush(self.heap, entry)

    def _pop(self) -> tuple[int, int]:
        """The cheapest pair whose cost is up to date; of equal ones that of the smallest ids."""
        while True:
            _, a, b, version_a, version_b = heapq.heappop(self.heap)
            if (version_a, version_b) == (self.version[a], self.version[b]):
                return a, b

    def _join(self, a: int, b: int) -> None:
        """Make b a part of a."""
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
    """Pairs a < b of regions that share pixel sides, how many, and the sum of the Lab steps."""
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
