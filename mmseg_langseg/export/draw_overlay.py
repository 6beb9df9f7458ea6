"""Draw a label map over its image, with a legend."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .class_colors import class_colors
from .segmentation_result import SegmentationResult

# Fonts with many scripts, by the file names under which Linux, macOS and Windows install them.
_SYSTEM_FONTS = (
    'NotoSansCJK-Regular.ttc',
    'wqy-zenhei.ttc',
    'DroidSansFallbackFull.ttf',
    'Arial Unicode.ttf',
    'msyh.ttc',
    'unifont.otf',
    'DejaVuSans.ttf',
)
_NO_CHARACTER = '\uffff'


def draw_overlay(result: SegmentationResult, opacity: float = 0.55) -> Image.Image:
    """Draw a segmentation result over its image, with a legend of the found classes on the right.

    Args:
        result: Result of the inferencer, with its image uint8 ``(H, W, 3)``.
        opacity: Opacity of the class colors, 0 (image only) to 1 (colors only).

    Returns:
        The image extended by the legend, which lists the found classes from the largest to the
        smallest, each with its share of the pixels. The color of a class depends on its name only.
        For characters that Pillow's font lacks, a font of the system is used if there is one.

    Raises:
        ValueError: If ``opacity`` is outside 0 to 1.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity is {opacity}, expected a number from 0 to 1.')
    colors = class_colors(result.classes)
    blend = result.image * (1 - opacity) + colors[result.labels] * opacity
    picture = Image.fromarray(blend.round().astype(np.uint8))
    share = np.bincount(result.labels.ravel(), minlength=len(result.classes)) / result.labels.size
    found = [int(index) for index in np.argsort(-share, kind='stable') if share[index] > 0]
    legend = _draw_legend(
        [(f'{result.classes[i]} {share[i]:.1%}', tuple(colors[i].tolist())) for i in found],
        picture.height,
    )
    canvas = Image.new('RGB', (picture.width + legend.width, legend.height), 'white')
    canvas.paste(picture, (0, 0))
    canvas.paste(legend, (picture.width, 0))
    return canvas


def _draw_legend(lines: list[tuple[str, tuple[int, ...]]], height: int) -> Image.Image:
    """Draw one color swatch and text per line, at least ``height`` pixels high."""
    font = _find_font(''.join(text for text, _ in lines), min(max(height / 28, 11), 32))
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


def _find_font(text: str, size: float) -> ImageFont.FreeTypeFont:
    """Return Pillow's font, or one of the system if that lacks characters and the system has it."""
    default = ImageFont.load_default(size=size)
    missing = _missing(default, text)
    if not missing:
        return default
    best = default
    for name in _SYSTEM_FONTS:
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        lacks = _missing(font, text)
        if len(lacks) < len(missing):
            best, missing = font, lacks
    return best


def _missing(font: ImageFont.FreeTypeFont, text: str) -> set[str]:
    """Return the characters that a font has no glyph for."""
    replacement = bytes(font.getmask(_NO_CHARACTER))
    return {c for c in set(text) if not c.isspace() and bytes(font.getmask(c)) == replacement}
