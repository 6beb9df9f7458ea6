"""Label map files: names and colors of the classes in mask images."""

from __future__ import annotations

import re

from mmseg_langseg.fileio import show_value

# name:R,G,B:parts:actions, as CVAT, Datumaro and our exporter write it.
_LINE = re.compile(r'(.+):\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*(?::[^:]*){0,2}')


def read_label_map(text: str) -> dict[str, tuple[int, int, int]]:
    """Parse the content of a ``labelmap.txt``.

    Args:
        text: Lines ``name:R,G,B:parts:actions``; empty lines and those with an initial ``#`` are
            skipped.

    Returns:
        RGB colors by label name, in the order of the file.

    Raises:
        ValueError: A line has another form, there is no label, or two labels have the same name or
            color; the message names the line.
    """
    colors: dict[str, tuple[int, int, int]] = {}
    names: dict[tuple[int, int, int], str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith('#'):
            continue
        match = _LINE.fullmatch(line)
        color = tuple(map(int, match.groups()[1:])) if match else ()
        if not match or max(color) > 255:
            raise ValueError(
                f'line {number} is {show_value(line)}, expected name:R,G,B:parts:actions'
            )
        name = match.group(1).strip()
        if name in colors:
            raise ValueError(f'line {number}: the label {show_value(name)} occurs twice')
        if color in names:
            raise ValueError(
                f'line {number}: the labels {show_value(names[color])} and {show_value(name)} have '
                f'the same color {",".join(map(str, color))}; change one in the annotation tool '
                'and export again'
            )
        colors[name], names[color] = color, name
    if not colors:
        raise ValueError('there is no label, expected lines name:R,G,B:parts:actions')
    return colors
