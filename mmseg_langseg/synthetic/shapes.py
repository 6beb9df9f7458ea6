"""Object outlines and background patterns of the bundled synthetic dataset."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Contour = np.ndarray
"""Float array (P, 2): x to the right, y down, in units of the object's radius."""

Layer = tuple[list[Contour], int]
"""Contours filled together by the even-odd rule, and the color: 0 for body, 1 for accent."""


def _ellipse(x: float = 0, y: float = 0, rx: float = 1, ry: float | None = None) -> Contour:
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + (ry or rx) * np.sin(angle)], axis=1)


def _box(left: float, top: float, right: float, bottom: float) -> Contour:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


def _points(*xy: tuple[float, float]) -> Contour:
    return np.array(xy, dtype=float)


def _star() -> Contour:
    angle = np.arange(10) * np.pi / 5 - np.pi / 2
    radius = np.where(np.arange(10) % 2 == 0, 1.08, 0.45)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _heart() -> Contour:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x / 17, -(y + 2.5) / 16], axis=1)


def _moon() -> Contour:
    outer = np.linspace(np.pi * 0.3, np.pi * 1.7, 28)
    tips = np.cos(outer[0]), np.sin(outer[0])
    center = tips[0] + 0.25
    radius = np.hypot(tips[0] - center, tips[1])
    start = np.arctan2(tips[1], tips[0] - center)
    inner = np.linspace(2 * np.pi - start, start, 22)
    return np.concatenate(
        [
            np.stack([np.cos(outer), np.sin(outer)], axis=1),
            np.stack([center + radius * np.cos(inner), radius * np.sin(inner)], axis=1),
        ]
    ) + np.array([0.25, 0.0])


def _flower() -> Contour:
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = 0.78 + 0.27 * np.cos(6 * angle)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _cross() -> Contour:
    a, b = 0.3, 1.0
    return _points(
        (-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a),
        (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a),
    )  # fmt: skip


def _arrow() -> Contour:
    return _points(
        (1.1, 0), (0.1, -0.95), (0.1, -0.34), (-1, -0.34), (-1, 0.34), (0.1, 0.34), (0.1, 0.95)
    )


def _ladder() -> list[Layer]:
    rails = [_box(-0.68, -1.1, -0.42, 1.1), _box(0.42, -1.1, 0.68, 1.1)]
    rungs = [_box(-0.5, y - 0.12, 0.5, y + 0.12) for y in (-0.75, -0.25, 0.25, 0.75)]
    return [(rungs, 0), (rails, 0)]


def _cookie() -> list[Layer]:
    spots = [(-0.45, -0.4), (0.15, -0.6), (0.55, -0.1), (0.35, 0.5), (-0.2, 0.1), (-0.45, 0.58)]
    return [([_ellipse()], 0), ([_ellipse(x, y, 0.19) for x, y in spots], 1)]


def _ball() -> list[Layer]:
    def band(low: float, high: float) -> Contour:
        y = np.array([low, high])
        x = np.sqrt(np.maximum(1 - y**2, 0))
        return _points((-x[0], low), (x[0], low), (x[1], high), (-x[1], high))

    return [([_ellipse()], 0), ([band(-0.75, -0.45), band(-0.15, 0.15), band(0.45, 0.75)], 1)]


OBJECTS: dict[str, tuple[list[Layer], float]] = {
    'ring': ([([_ellipse(), _ellipse(rx=0.52)], 0)], 180),
    'cross': ([([_cross()], 0)], 20),
    'star': ([([_star()], 0)], 36),
    'heart': ([([_heart()], 0)], 25),
    'moon': ([([_moon()], 0)], 30),
    'arrow': ([([_arrow()], 0)], 180),
    'flower': ([([_flower()], 0), ([_ellipse(rx=0.34)], 1)], 180),
    'fish': (
        [
            ([_points((0.35, 0), (1.1, -0.65), (1.1, 0.65))], 1),
            ([_ellipse(-0.2, 0, 0.85, 0.55)], 0),
            ([_ellipse(-0.65, -0.12, 0.13)], 1),
        ],
        20,
    ),
    'house': (
        [
            ([_box(-0.75, -0.15, 0.75, 0.95)], 0),
            ([_points((-1.05, -0.15), (0, -1.05), (1.05, -0.15))], 1),
            ([_box(-0.2, 0.3, 0.2, 0.95)], 1),
        ],
        12,
    ),
    'ladder': (_ladder(), 25),
    'cookie': (_cookie(), 180),
    'ball': (_ball(), 180),
}
"""Layers, back to front, and maximum rotation in degrees by class name."""


def _bricks(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height = rng.uniform(7, 10)
    row = np.floor(y / height)
    column = x / (2 * height) + 0.5 * (row % 2)
    joint = (y / height - row < 0.2) | (column - np.floor(column) < 0.1)
    shade = np.modf(np.abs(np.sin(row * 12.9 + np.floor(column) * 78.2)) * 437.5)[0]
    return np.where(joint, 1.0, 0.35 * shade)


def _waves(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    period, length = rng.uniform(8, 12), rng.uniform(20, 30)
    crest = 0.22 * period * np.sin(2 * np.pi * (x + rng.uniform(0, length)) / length)
    return 0.5 + 0.5 * np.sin(2 * np.pi * (y + 1.6 * crest) / period)


def _noise(rows: int, columns: int, like: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grid = rng.random((rows, columns), dtype=np.float32)
    return cv2.resize(grid, like.shape[::-1], interpolation=cv2.INTER_CUBIC)


def _grass(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    blades = _noise(8, 40, x, rng)
    return np.clip(1.8 * blades - 0.4, 0, 1)


def _pebbles(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    step = rng.uniform(11, 14)
    grid = np.stack(np.meshgrid(np.arange(-5, 6), np.arange(-5, 6)), axis=-1).reshape(-1, 2)
    centers = (grid + rng.uniform(-0.35, 0.35, grid.shape)) * step
    centers = centers[np.abs(centers).max(axis=1) < 55].astype(np.float32)
    square = (x[..., None] - centers[:, 0]) ** 2 + (y[..., None] - centers[:, 1]) ** 2
    near = np.sqrt(np.partition(square, 1, axis=-1)[..., :2])
    return np.clip((near[..., 1] - near[..., 0]) / 5, 0, 1)


def _clouds(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    coarse, fine = _noise(4, 4, x, rng), _noise(8, 8, x, rng)
    return np.clip(1.6 * (0.7 * coarse + 0.3 * fine) - 0.3, 0, 1)


Texture = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]

BACKGROUNDS: dict[str, Texture] = {
    'bricks': _bricks,
    'waves': _waves,
    'grass': _grass,
    'pebbles': _pebbles,
    'clouds': _clouds,
}
"""Texture functions by class name. They take the coordinates x, y (H, W) relative to the center, in
pixels of a 64-pixel image, and a random generator, and return the pattern (H, W) in 0..1."""


def object_contours(
    name: str, center: tuple[float, float], radius: float, angle: float, mirror: bool
) -> list[Layer]:
    """Compute the contours of an object at a given position, size and rotation.

    Args:
        name: Key of `OBJECTS`.
        center: x and y in pixels.
        radius: Size in pixels.
        angle: Rotation in degrees.
        mirror: Whether the object is mirrored horizontally first.

    Returns:
        The layers, back to front, with contours in pixels.
    """
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * radius
    if mirror:
        matrix = matrix * np.array([[-1.0, 1.0]])
    shift = np.asarray(center)
    return [
        ([contour @ matrix.T + shift for contour in contours], color)
        for contours, color in OBJECTS[name][0]
    ]
