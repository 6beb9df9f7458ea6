"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format a table; bars in cells are escaped."""
    lines = [header, ['---'] * len(header), *rows]
    cells = [[str(cell).replace('|', '\\|') for cell in line] for line in lines]
    return ''.join(f'| {" | ".join(line)} |\n' for line in cells)
