"""Connected components of label maps."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np


def connected_components(
    labels: np.ndarray, num_classes: int
) -> Iterator[tuple[int, np.ndarray, tuple[int, int]]]:
    """Iterate over the 8-connected components of each class, class by class.

    Args:
        labels: ``(H, W)`` integers; values outside ``[0, num_classes)`` belong to no class.
        num_classes: Number of classes.

    Yields:
        Class, mask bool ``(h, w)`` of the component in its bounding box, and the box's top-left
        corner ``(top, left)``.
    """
    for index in np.unique(labels):
        if not 0 <= index < num_classes:
            continue
        mask = (labels == index).astype(np.uint8)
        count, components, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        for component in range(1, count):
            left, top, width, height = stats[component, :4].tolist()
            box = components[top : top + height, left : left + width]
            yield int(index), box == component, (top, left)


def split_holes(mask: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Split a component into parts without holes, which polygons can describe exactly.

    A component with a hole is cut in two at the hole's middle row, as often as needed.

    Args:
        mask: bool ``(h, w)``, one component in its bounding box.

    Yields:
        Part bool ``(h', w')`` in its bounding box, and the box's top-left corner in ``mask``.
    """
    contours, hierarchy = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    holes = [c for c, h in zip(contours, hierarchy[0], strict=True) if h[3] >= 0]
    if not holes:
        yield mask, (0, 0)
        return
    rows = holes[0][:, 0, 1]
    cut = (int(rows.min()) + int(rows.max()) + 1) // 2
    for start, half in ((0, mask[:cut]), (cut, mask[cut:])):
        for _, part, (top, left) in connected_components(half.astype(np.int64) - 1, 1):
            for piece, (y, x) in split_holes(part):
                yield piece, (start + top + y, left + x)
