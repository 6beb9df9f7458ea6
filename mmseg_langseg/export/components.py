"""Connected components of label maps."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from scipy import ndimage


def connected_components(
    labels: np.ndarray,
) -> Iterator[tuple[int, np.ndarray, tuple[int, int]]]:
    """Iterate over the 8-connected components of each class, class by class.

    Args:
        labels: int ``(H, W)`` class indices; negative values belong to no class.

    Yields:
        Class, mask bool ``(h, w)`` of the component in its bounding box, and the box's top-left
        corner ``(top, left)``.
    """
    for label, box in enumerate(ndimage.find_objects(np.maximum(labels, -1) + 1)):
        if box is not None:
            mask = (labels[box] == label).astype(np.uint8)
            for part, (top, left) in _components(mask):
                yield label, part, (box[0].start + top, box[1].start + left)


def split_holes(mask: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Split a component into parts without holes, which polygons can describe exactly.

    The component is cut along the fewest rows that open all holes.

    Args:
        mask: bool ``(h, w)``, one component in its bounding box.

    Yields:
        Part bool ``(h', w')`` in its bounding box, and the box's top-left corner in ``mask``.
    """
    background = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    count, areas, stats, _ = cv2.connectedComponentsWithStats(background, connectivity=4)
    if count == 2:
        yield mask, (0, 0)
        return
    # A cut above row c opens each hole that begins or ends there, or that it crosses.
    holes = [i for i in range(1, count) if i != areas[0, 0]]
    first = stats[holes, cv2.CC_STAT_TOP] - 1
    ends = first + stats[holes, cv2.CC_STAT_HEIGHT]
    cuts = [0]
    for hole in np.argsort(ends, kind='stable'):
        if cuts[-1] < first[hole]:
            cuts.append(int(ends[hole]))
    for start, end in zip(cuts, [*cuts[1:], len(mask)], strict=True):
        for part, (top, left) in _components(mask[start:end].astype(np.uint8)):
            yield part, (start + top, left)


def _components(mask: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    count, components, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    for component in range(1, count):
        left, top, width, height = stats[component, :4].tolist()
        box = components[top : top + height, left : left + width]
        yield box == component, (top, left)
