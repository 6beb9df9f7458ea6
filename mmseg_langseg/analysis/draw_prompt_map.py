"""Draw class prompts among words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from mmseg_langseg.apis.index_colors import index_colors
from mmseg_langseg.export.legend_font import legend_font

from .label_placement import place_labels
from .prompt_map import PromptMap

SIZE = (1280, 960)
_MARGIN, _FOOT = 48, 36
_TEXT, _NUMBER = 15, 13
_DOT, _RADIUS, _SMALLEST, _PADDING = 3.5, 20.0, 9.0, 2
_INK, _MUTED, _UNNAMED = (25, 25, 25), (110, 110, 110), (185, 185, 185)
# Drawn larger and reduced, as Pillow's circles are not smooth.
_SCALE = 2


def draw_prompt_map(prompt_map: PromptMap) -> tuple[Image.Image, int]:
    """Draw prompts as numbered circles and words as labeled dots.

    The area of a circle is proportional to the number of its masks, above a minimum. A prompt has
    the color of the class of its nearest word; words that are nearest to no prompt, and their
    synonyms, are gray. Where there is no place for the labels of all words, those near a prompt
    come first.

    Returns:
        Picture with a palette, and the number of labeled words.
    """
    points = _to_picture(np.concatenate([prompt_map.prompts, prompt_map.places]))
    prompts, words = np.split(points, [len(prompt_map.prompts)])
    radii = _radii(prompt_map)
    picture = Image.new('RGB', SIZE, 'white').resize((SIZE[0] * _SCALE, SIZE[1] * _SCALE))
    draw = ImageDraw.Draw(picture)
    colors = _word_colors(prompt_map)
    for point, color in zip(words, colors, strict=True):
        _circle(draw, point, _DOT, tuple(color))
    shown = _draw_labels(draw, prompt_map, prompts, words, radii)
    for index in np.argsort(-radii, kind='stable'):
        color = colors[prompt_map.nearest[index][0].index]
        _circle(draw, prompts[index], radii[index], tuple(color), outline=_INK)
        _draw_number(draw, prompts[index], int(index), color)
    _draw_foot(draw, prompt_map, shown)
    picture = picture.resize(SIZE, Image.Resampling.LANCZOS)
    # A palette makes a PNG several times smaller.
    return picture.quantize(256, dither=Image.Dither.NONE), shown


def _word_colors(prompt_map: PromptMap) -> np.ndarray:
    """Return uint8 ``(N, 3)``."""
    classes = prompt_map.words.classes
    near = sorted({classes[nearest[0].index] for nearest in prompt_map.nearest})
    color_of = dict(zip(near, index_colors(len(near)), strict=True))
    return np.array([color_of.get(index, _UNNAMED) for index in classes], np.uint8)


def _to_picture(positions: np.ndarray) -> np.ndarray:
    """Stretch positions over the picture."""
    lower, upper = positions.min(0), positions.max(0)
    unit = (positions - lower) / np.maximum(upper - lower, 1e-9)
    return _MARGIN + unit * (SIZE[0] - 2 * _MARGIN, SIZE[1] - 2 * _MARGIN - _FOOT)


def _radii(prompt_map: PromptMap) -> np.ndarray:
    count = len(prompt_map.prompts)
    if prompt_map.counts is None or not prompt_map.counts.any():
        return np.full(count, (_RADIUS + _SMALLEST) / 2)
    shares = prompt_map.counts / prompt_map.counts.max()
    return np.maximum(_RADIUS * np.sqrt(shares), _SMALLEST)


def _draw_labels(
    draw: ImageDraw.ImageDraw,
    prompt_map: PromptMap,
    prompts: np.ndarray,
    words: np.ndarray,
    radii: np.ndarray,
) -> int:
    names = prompt_map.words.words
    order = list(_by_priority(prompt_map))
    font = legend_font(''.join(names), _TEXT * _SCALE)
    boxes = [font.getbbox(names[i]) for i in order]
    sizes = np.array([(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes]) / _SCALE + 2 * _PADDING
    blocked = np.hstack([prompts - radii[:, None], prompts + radii[:, None]])
    area = (SIZE[0], SIZE[1] - _FOOT)
    corners = place_labels(words[order], sizes, blocked, area, gap=_DOT)
    for i, box, corner in zip(order, boxes, corners, strict=True):
        if corner is not None:
            x, y = ((value + _PADDING) * _SCALE for value in corner)
            draw.text(
                (x - box[0], y - box[1]), names[i], _INK, font, stroke_width=3, stroke_fill='white'
            )
    return sum(corner is not None for corner in corners)


def _by_priority(prompt_map: PromptMap) -> Iterator[int]:
    """Yield each word once, those near a prompt first."""
    depth = max(map(len, prompt_map.nearest))
    ranks = (row[rank].index for rank in range(depth) for row in prompt_map.nearest)
    near = dict.fromkeys(ranks)
    yield from near
    yield from (i for i in range(len(prompt_map.words.words)) if i not in near)


def _circle(draw, center, radius: float, fill: tuple, outline: tuple | str = 'white') -> None:
    x, y, r = (float(value) * _SCALE for value in (*center, radius))
    draw.ellipse((x - r, y - r, x + r, y + r), fill, outline, width=_SCALE)


def _draw_number(draw, center, number: int, color: np.ndarray) -> None:
    text = str(number)
    light = color @ np.array([0.299, 0.587, 0.114]) > 140
    x, y = (float(value) * _SCALE for value in center)
    font = legend_font(text, _NUMBER * _SCALE)
    draw.text((x, y), text, _INK if light else (255, 255, 255), font, anchor='mm')


def _draw_foot(draw, prompt_map: PromptMap, shown: int) -> None:
    total = len(prompt_map.words.words)
    words = f'{total} words' if shown == total else f'{total} words, {shown} of them labeled'
    size = 'larger with more masks, ' if prompt_map.counts is not None else ''
    text = (
        f'{len(prompt_map.prompts)} class prompts (circles, {size}colored as the nearest word) and '
        f'{words} (dots). t-SNE of cosine distances, perplexity {prompt_map.perplexity:.3g}, '
        f'seed {prompt_map.seed}.'
    )
    place = (_MARGIN * _SCALE // 2, (SIZE[1] - _FOOT // 2) * _SCALE)
    draw.text(place, text, _MUTED, legend_font(text, _TEXT * _SCALE), anchor='lm')
