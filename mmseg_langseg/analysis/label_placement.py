"""Placement of labels next to points without overlaps."""

from __future__ import annotations

import numpy as np

_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
_DISTANCES = (1.0, 3.0, 5.0)


def place_labels(
    points: np.ndarray,
    sizes: np.ndarray,
    blocked: np.ndarray,
    area: tuple[int, int],
    gap: float,
) -> list[tuple[float, float] | None]:
    """Place labels next to their points, those with low indices first.

    A label overlaps no other label, no blocked box, and as few points as possible. Labels without
    such a place are left out.

    Args:
        points: ``(N, 2)``, x and y, in the order of priority.
        sizes: ``(N, 2)``, width and height of each label.
        blocked: ``(M, 4)``, boxes x0, y0, x1, y1.
        area: Width and height of the picture.
        gap: Distance of a label from its point.

    Returns:
        Upper left corner of each label; None if it is left out.
    """
    taken = np.empty((len(blocked) + len(points), 4))
    taken[: len(blocked)] = blocked
    used = len(blocked)
    corners: list[tuple[float, float] | None] = []
    for point, size in zip(points, sizes, strict=True):
        boxes = _candidates(point, size, gap)
        inside = (boxes[:, :2] >= 0).all(1) & (boxes[:, 2:] <= area).all(1)
        free = inside & ~_overlaps(boxes, taken[:used]).any(1)
        if not free.any():
            corners.append(None)
            continue
        covered = _contains(boxes, points).sum(1)
        best = int(np.argmin(np.where(free, covered, len(points) + 1)))
        taken[used] = boxes[best]
        used += 1
        corners.append((float(boxes[best, 0]), float(boxes[best, 1])))
    return corners


def _candidates(point: np.ndarray, size: np.ndarray, gap: float) -> np.ndarray:
    """Return the boxes of a label around its point, the preferred ones first."""
    directions = np.array(_DIRECTIONS, np.float64)
    centers = [point + directions * (size / 2 + distance * gap) for distance in _DISTANCES]
    centers = np.concatenate(centers)
    return np.hstack([centers - size / 2, centers + size / 2])


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return bool ``(B, M)``."""
    lower = (boxes[:, None, :2] < others[None, :, 2:]).all(-1)
    return lower & (boxes[:, None, 2:] > others[None, :, :2]).all(-1)


def _contains(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return bool ``(B, N)``."""
    after = (points[None] > boxes[:, None, :2]).all(-1)
    return after & (points[None] < boxes[:, None, 2:]).all(-1)
