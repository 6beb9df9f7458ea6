"""Procedural rendering of synthetic scenes with captions, labels and class-agnostic masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .shapes import BACKGROUNDS, OBJECTS, object_contours

OBJECT_CLASSES = tuple(OBJECTS)
BACKGROUND_CLASSES = tuple(BACKGROUNDS)
CLASSES = OBJECT_CLASSES + BACKGROUND_CLASSES
"""12 objects, then 5 backgrounds; a label is an index of this tuple."""

SPLITS = {
    'clip': (101, (0.40, 0.28, 0.24, 0.05, 0.03)),
    'train': (202, (0.25, 0.30, 0.25, 0.12, 0.08)),
    'tune': (303, (0.25, 0.30, 0.25, 0.12, 0.08)),
    'test': (404, (0.25, 0.30, 0.25, 0.12, 0.08)),
}
"""Seed and probabilities of 1 to 5 objects by split name."""

NAME_TEMPLATES = (
    'a photo of a {} in the scene',
    'a photo of a {}.',
    'itap of a {}.',
    'a bad photo of the {}.',
    'a origami {}.',
    'a {} in a video game.',
    'art of the {}.',
)
LIST_TEMPLATES = (
    'a photo of {} in the scene',
    'a photo of {}.',
    'itap of {}.',
    'a bad photo of {}.',
    'art of {}.',
)
# Captions name only some of the objects, as real ones do, so CLIP must learn from incomplete text.
NAMED_SHARE = 0.65
LARGE_RADIUS = 15.0


@dataclass(frozen=True)
class SyntheticScene:
    """Rendered scene with labels, class-agnostic masks and a caption.

    Attributes:
        image: uint8 (H, W, 3), RGB.
        labels: uint8 (H, W), indices of `CLASSES`; every pixel is labeled.
        masks: bool (N, H, W), unlabeled masks like those of a mask generator: objects, their
            parts, groups of objects, pieces of the background, sometimes the whole background.
            They overlap, and their order has no meaning.
        caption: Caption in the style of a person. Objects may be left out.
    """

    image: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    caption: str


@dataclass
class _Placed:
    label: int
    center: tuple[float, float]
    radius: float
    parts: list[np.ndarray]
    mask: np.ndarray


def _luminance(color: np.ndarray) -> np.ndarray:
    return color @ np.array([0.299, 0.587, 0.114])


def _color(rng: np.random.Generator, away_from: float, distance: float) -> np.ndarray:
    """Draw a random color with enough luminance contrast to a given one to show the shape."""
    colors = rng.uniform(0, 1, (24, 3))
    gray = colors.mean(axis=1, keepdims=True)
    colors = np.clip(gray + 1.4 * (colors - gray), 0.02, 0.98)
    contrast = np.abs(_luminance(colors) - away_from)
    enough = np.flatnonzero(contrast >= distance)
    return colors[enough[0] if len(enough) else contrast.argmax()]


def _coverage(contours: list[np.ndarray], size: int) -> np.ndarray:
    """Fill contours by the even-odd rule with antialiasing: float32 (H, W) in 0..1."""
    canvas = np.zeros((size, size), dtype=np.uint8)
    points = [np.round((contour - 0.5) * 16).astype(np.int32) for contour in contours]
    cv2.fillPoly(canvas, points, 255, lineType=cv2.LINE_AA, shift=4)
    return canvas.astype(np.float32) / 255


def _paint_background(
    rng: np.random.Generator, name: str, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the background image, float (H, W, 3) in 0..1, and its mean color."""
    axis = ((np.arange(size) + 0.5) * 64 / size - 32).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    turn = np.deg2rad(rng.uniform(-15, 15))
    shift = rng.uniform(-10, 10, 2)
    u = np.cos(turn) * x + np.sin(turn) * y + shift[0]
    v = -np.sin(turn) * x + np.cos(turn) * y + shift[1]
    pattern = BACKGROUNDS[name](u.astype(np.float32), v.astype(np.float32), rng)[..., None]
    dark = np.clip(_color(rng, 0.0, 0.15) * 0.85, 0, 0.75)
    light = np.clip(dark + rng.uniform(0.14, 0.24) + rng.uniform(-0.05, 0.05, 3), 0, 1)
    return dark * (1 - pattern) + light * pattern, (dark + light) / 2


def _paint_object(
    rng: np.random.Generator, image: np.ndarray, placed: _Placed, ground: np.ndarray
) -> None:
    """Draw an object into the image and set its mask and the masks of its parts."""
    size = len(image)
    scale = size / 64
    name = OBJECT_CLASSES[placed.label]
    limit = OBJECTS[name][1]
    layers = object_contours(
        name,
        (placed.center[0] * scale, placed.center[1] * scale),
        placed.radius * scale,
        rng.uniform(-limit, limit),
        bool(rng.random() < 0.5),
    )
    body = _color(rng, _luminance(ground), 0.3)
    accent = _color(rng, _luminance(body), 0.3)
    total = np.zeros((size, size), dtype=np.float32)
    for contours, which in layers:
        cover = _coverage(contours, size)
        image += cover[..., None] * ((accent if which else body) - image)
        total = np.maximum(total, cover)
        placed.parts.append(cover >= 0.5)
    placed.mask = total >= 0.5


def _place(rng: np.random.Generator, count: int, size: int) -> list[_Placed]:
    """Draw distinct classes, sizes and positions; objects may overlap but stay visible."""
    labels = rng.permutation(len(OBJECT_CLASSES))[:count]
    low, high = {1: (11, 18), 2: (11, 17), 3: (11, 15)}.get(count, (9, 12))
    placed: list[_Placed] = []
    for label in labels:
        for _ in range(30):
            radius = rng.uniform(low, high)
            x, y = rng.uniform(0.85 * radius, 64 - 0.85 * radius, 2)
            if all(
                np.hypot(x - o.center[0], y - o.center[1]) > 0.85 * (radius + o.radius)
                for o in placed
            ):
                break
        else:
            continue
        empty = np.zeros((size, size), dtype=bool)
        placed.append(_Placed(int(label), (float(x), float(y)), float(radius), [], empty))
    return placed


def _half(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    y, x = np.indices(mask.shape)
    turn = rng.uniform(0, 2 * np.pi)
    side = np.cos(turn) * (x - columns.mean()) + np.sin(turn) * (y - rows.mean()) > 0
    return mask & side


def _pieces(rng: np.random.Generator, mask: np.ndarray) -> list[np.ndarray]:
    """Split a region into 2 to 5 Voronoi pieces."""
    size = len(mask)
    seeds = rng.uniform(0, size, (rng.integers(2, 6), 2))
    y, x = np.indices(mask.shape)
    nearest = ((y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2).argmin(-1)
    return [mask & (nearest == i) for i in range(len(seeds))]


def _unlabeled_masks(
    rng: np.random.Generator, visible: list[np.ndarray], placed: list[_Placed], ground: np.ndarray
) -> np.ndarray:
    masks = list(visible)
    for shown, item in zip(visible, placed, strict=True):
        if len(item.parts) > 1 and rng.random() < 0.5:
            masks += [part & shown for part in item.parts]
        if rng.random() < 0.5:
            masks.append(_half(rng, shown))
    if len(visible) > 1 and rng.random() < 0.5:
        first, second = rng.permutation(len(visible))[:2]
        masks.append(visible[first] | visible[second])
    if rng.random() < 0.8:
        masks += _pieces(rng, ground)
    if rng.random() < 0.4 or not masks:
        masks.append(ground)
    stack = np.stack(masks)
    smallest = max(4, stack[0].size // 400)
    return stack[stack.sum(axis=(1, 2)) >= smallest]


def _caption(rng: np.random.Generator, placed: list[_Placed], ground: str) -> str:
    names = [OBJECT_CLASSES[o.label] for o in placed if rng.random() < NAMED_SHARE]
    if not names and placed:
        names = [OBJECT_CLASSES[placed[rng.integers(len(placed))].label]]
    rng.shuffle(names)
    with_ground = rng.random() < 0.5
    if rng.random() < 0.1:
        return NAME_TEMPLATES[rng.integers(len(NAME_TEMPLATES))].format(ground)
    if len(names) == 1 and len(placed) == 1 and not with_ground and rng.random() < 0.3:
        size = 'large' if placed[0].radius > LARGE_RADIUS else 'small'
        return f'a photo of the {size} {names[0]}.'
    if len(names) == 1 and not with_ground:
        chosen = 0 if rng.random() < 0.4 else rng.integers(len(NAME_TEMPLATES))
        return NAME_TEMPLATES[chosen].format(names[0])
    phrases = [f'a {name}' for name in names]
    text = ', '.join(phrases[:-1]) + ' and ' + phrases[-1] if len(phrases) > 1 else phrases[0]
    if with_ground:
        text += f' on {ground}'
    chosen = 0 if rng.random() < 0.4 else rng.integers(len(LIST_TEMPLATES))
    return LIST_TEMPLATES[chosen].format(text)


def render_scene(
    split: str, index: int, size: int = 64, num_objects: int | None = None
) -> SyntheticScene:
    """Render a synthetic scene; the same arguments always give the same scene.

    Args:
        split: ``clip`` (training of the bundled CLIP), ``train`` (segmentation training without
            labels), ``tune`` or ``test``. No two splits share a scene.
        index: Index of the scene, at least 0 and without upper limit.
        size: Side of the square image in pixels. Another size shows the same scene.
        num_objects: Objects to place, 1 to 5; by default drawn with the split's probabilities.
            Objects that do not fit are left out.

    Raises:
        ValueError: If the split is unknown, the index is negative, the size is below 32, or the
            number of objects is out of range.
    """
    if split not in SPLITS:
        raise ValueError(f'unknown split {split!r}; choose one of {sorted(SPLITS)}')
    if index < 0 or size < 32:
        raise ValueError(f'index must be >= 0 and size >= 32, got index={index}, size={size}')
    if num_objects is not None and not 1 <= num_objects <= 5:
        raise ValueError(f'num_objects must be 1 to 5, got {num_objects}')
    seed, probabilities = SPLITS[split]
    rng = np.random.default_rng([seed, index])
    count = int(rng.choice(5, p=probabilities)) + 1
    placed = _place(rng, num_objects or count, size)
    background = int(rng.integers(len(BACKGROUND_CLASSES)))
    caption = _caption(rng, placed, BACKGROUND_CLASSES[background])
    image, mean_color = _paint_background(rng, BACKGROUND_CLASSES[background], size)
    labels = np.full((size, size), len(OBJECT_CLASSES) + background, dtype=np.uint8)
    owner = np.full((size, size), -1)
    for number, item in enumerate(placed):
        _paint_object(rng, image, item, mean_color)
        labels[item.mask] = item.label
        owner[item.mask] = number
    visible = [owner == number for number in range(len(placed))]
    masks = _unlabeled_masks(rng, visible, placed, owner == -1)
    light = 1 + 0.12 * rng.uniform(-1, 1) * np.linspace(-1, 1, size)[:, None, None]
    image = image * light + 0.015 * rng.standard_normal(image.shape, dtype=np.float32)
    return SyntheticScene(
        image=np.clip(image * 255, 0, 255).astype(np.uint8),
        labels=labels,
        masks=masks,
        caption=caption,
    )
