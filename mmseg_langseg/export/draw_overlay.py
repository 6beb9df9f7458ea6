"""Draw a label map over its image, with a legend."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .class_colors import class_colors
from .legend_font import legend_font
from .segmentation_result import SegmentationResult

_MAX_CHARACTERS = 60


def draw_overlay(result: SegmentationResult, opacity: float = 0.55) -> Image.Image:
    """Draw a segmentation result over its image, with a legend of the found classes on the right.

    Args:
        result: Result of the inferencer, with its image uint8 ``(H, W, 3)``.
        opacity: Opacity of the class colors, 0 (image only) to 1 (colors only).

    Returns:
        The image extended by the legend, which lists the found classes from the largest to the
        smallest, each with its share of the pixels; long names are shortened. The color of a class
        depends on its name only. Characters that no installed font has are drawn as boxes.

    Raises:
        ValueError: If ``opacity`` is outside 0 to 1.
    """
    picture = color_classes(result, opacity)
    colors = class_colors(result.classes)
    legend = _draw_legend(
        [
            (f'{_shortened(result.classes[i])} {share:.1%}', tuple(colors[i].tolist()))
            for i, share in class_shares(result).items()
        ],
        picture.height,
    )
    canvas = Image.new('RGB', (picture.width + legend.width, legend.height), 'white')
    canvas.paste(picture, (0, 0))
    canvas.paste(legend, (picture.width, 0))
    return canvas


def color_classes(
    result: SegmentationResult, opacity: float = 0.55, shown: Sequence[str] | None = None
) -> Image.Image:
    """Draw the class colors of a segmentation result over its image, without a legend.

    Args:
        result: Result of the inferencer, with its image uint8 ``(H, W, 3)``.
        opacity: Opacity of the class colors, 0 (image only) to 1 (colors only).
        shown: Classes to color; pixels of others show the image. None: all.

    Raises:
        ValueError: If ``opacity`` is outside 0 to 1.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity is {opacity}, expected a number from 0 to 1.')
    image = np.ascontiguousarray(result.image)
    colors = class_colors(result.classes)[result.labels]
    picture = cv2.addWeighted(image, 1 - opacity, colors, opacity, 0)
    if shown is not None:
        hidden = ~np.isin(result.classes, shown)[result.labels]
        picture[hidden] = image[hidden]
    return Image.fromarray(picture)


def class_shares(result: SegmentationResult) -> dict[int, float]:
    """Return the share of the pixels of each class that occurs, the largest first.

    Returns:
        Shares in (0, 1] by class index.
    """
    shares = np.bincount(result.labels.ravel(), minlength=len(result.classes)) / result.labels.size
    order = np.argsort(-shares, kind='stable').tolist()
    return {index: float(shares[index]) for index in order if shares[index] > 0}


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_CHARACTERS else f'{name[: _MAX_CHARACTERS - 3]}...'


def _draw_legend(lines: list[tuple[str, tuple[int, ...]]], height: int) -> Image.Image:
    """Draw one color swatch and text per line, at least ``height`` pixels high."""
    font = legend_font(''.join(text for text, _ in lines), min(max(height / 28, 11), 32))
    row = round(font.size * 1.6)
    pad = row // 2
    width = max(round(font.getlength(text)) for text, _ in lines) + row + 3 * pad
    image = Image.new('RGB', (width, max(height, row * len(lines) + 2 * pad)), 'white')
    draw = ImageDraw.Draw(image)
    for number, (text, color) in enumerate(lines):
        top = pad + number * row
        draw.rectangle((pad, top, pad + row * 0.8, top + row * 0.8), fill=color, outline='black')
        draw.text((pad + row + pad, top), text, fill='black', font=font)
    return image
