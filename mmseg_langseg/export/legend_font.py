"""Font for class names of any language."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

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


def legend_font(text: str, size: float) -> ImageFont.FreeTypeFont:
    """Return Pillow's font, or one that has more of the characters if it lacks some.

    Pillow's font has ASCII only. Others are that of Matplotlib (European languages), which
    MMSegmentation installs, and those of the operating system.

    Args:
        text: Characters that will be drawn.
        size: Font size in pixels.
    """
    best = ImageFont.load_default(size=size)
    missing = _missing(best, text)
    fonts = _installed_fonts()
    while missing and (name := next(fonts, None)):
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        lacks = _missing(font, text)
        if len(lacks) < len(missing):
            best, missing = font, lacks
    return best


def _installed_fonts() -> Iterator[str]:
    # Matplotlib is not imported, which takes long.
    spec = find_spec('matplotlib')
    if spec is not None and spec.origin is not None:
        yield str(Path(spec.origin).parent / 'mpl-data' / 'fonts' / 'ttf' / 'DejaVuSans.ttf')
    yield from _SYSTEM_FONTS


def _missing(font: ImageFont.FreeTypeFont, text: str) -> set[str]:
    """Return the characters that a font has no glyph for."""
    box = bytes(font.getmask(_NO_CHARACTER))
    return {c for c in set(text) if not c.isspace() and bytes(font.getmask(c)) == box}
