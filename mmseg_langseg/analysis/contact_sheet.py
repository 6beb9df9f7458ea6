"""Contact sheet of masks by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from mmseg_langseg.export.legend_font import legend_font

from .cluster_sample import ClusterSample
from .markdown_table import markdown_table
from .nearest_words import NearWord

_GAP, _MARGIN = 4, 12
_TEXT, _LINE = 13, 17
_ONE_COLUMN = 8
_MOST_PIXELS, _LONGEST = 50_000_000, 65_000
_INK, _MUTED = (25, 25, 25), (110, 110, 110)


class ContactSheet:
    """Random masks of each cluster with its size, nearest words and purity.

    Args:
        sample: Masks by cluster.
        nearest: Nearest words of each cluster.
        side: Side of a crop in pixels.
        source: What was drawn, one sentence per line below the sheet.
        classes: Names of the labels; empty if unknown.
    """

    def __init__(
        self,
        sample: ClusterSample,
        nearest: list[list[NearWord]],
        side: int,
        source: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        self.sample, self.nearest = sample, nearest
        self.side, self.source, self.classes = side, source, classes
        self.purity = sample.purity()
        # Largest first.
        self.order = np.argsort(-sample.masks, kind='stable').tolist()

    def draw(self) -> Image.Image:
        """Draw a row of crops for each cluster that has masks, the largest first."""
        used = [index for index in self.order if self.sample.masks[index]]
        columns, rows, width, height = _layout(len(used), self.sample.size, self.side)
        foot = self._foot()
        sheet = Image.new(
            'RGB', (columns * width, rows * height + len(foot) * _LINE + _MARGIN), 'white'
        )
        draw = ImageDraw.Draw(sheet)
        for place, index in enumerate(used):
            column, row = divmod(place, max(rows, 1))
            self._draw_cluster(sheet, draw, index, column * width + _MARGIN, row * height + _GAP)
        for number, line in enumerate(foot):
            _write(draw, _MARGIN, rows * height + number * _LINE, line, _MUTED, sheet.width)
        return sheet

    def _draw_cluster(self, sheet, draw, index: int, x: int, y: int) -> None:
        room = max(self.sample.size, 4) * (self.side + _GAP)
        title = f'{index}: {", ".join(map(str, self.nearest[index]))}'
        _write(draw, x, y, title, _INK, room)
        _write(draw, x, y + _LINE, self._caption(index), _MUTED, room)
        for number, crop in enumerate(self.sample.crops[index]):
            left = x + number * (self.side + _GAP) + (self.side - crop.shape[1]) // 2
            top = y + 2 * _LINE + (self.side - crop.shape[0]) // 2
            sheet.paste(Image.fromarray(crop), (left, top))

    def _caption(self, index: int) -> str:
        masks = f'{self.sample.masks[index]} masks'
        if self.purity[index] is None:
            return masks
        return f'{masks}, {self.purity[index]:.0%} {self._top_label(index)}'

    def _top_label(self, index: int) -> str:
        return self.classes[int(self.sample.labels[index].argmax())]

    def _foot(self) -> list[str]:
        lines = [*self.source]
        purity = self.sample.mean_purity()
        if purity is not None:
            lines.append(
                f'{purity:.0%} of all masks have the most frequent label of their cluster.'
            )
        dead = np.flatnonzero(self.sample.masks == 0).tolist()
        if dead:
            lines.append(f'Without masks: {", ".join(map(str, dead))}.')
        return lines

    def record(self) -> dict[str, Any]:
        """Return the values of the table for JSON."""
        return dict(
            source=' '.join(self.source),
            purity=self.sample.mean_purity(),
            clusters=[
                dict(
                    cluster=index,
                    masks=int(self.sample.masks[index]),
                    nearest=[
                        dict(word=near.word, cosine=round(near.cosine, 4))
                        for near in self.nearest[index]
                    ],
                    purity=self.purity[index],
                    labels={
                        self.classes[label]: int(count)
                        for label, count in enumerate(self.sample.labels[index])
                        if count
                    },
                )
                for index in range(len(self.nearest))
            ],
        )

    def table(self) -> str:
        """Return a Markdown table of the clusters, the largest first."""
        header = ['cluster', 'masks', 'nearest words (cosine)']
        known = bool(self.classes)
        rows = []
        for index in self.order:
            row = [index, self.sample.masks[index], ', '.join(map(str, self.nearest[index]))]
            if known:
                purity = self.purity[index]
                row += ['', ''] if purity is None else [self._top_label(index), f'{purity:.0%}']
            rows.append(row)
        return markdown_table(header + ['most frequent label', 'purity'] * known, rows)


def check_sheet_size(num_clusters: int, crops: int, side: int) -> None:
    """Check, before any work is done, that a sheet of all clusters is not too large.

    Raises:
        ValueError: It would have more than 50 million pixels, or too many rows for a JPEG.
    """
    columns, rows, width, height = _layout(num_clusters, crops, side)
    size = columns * width, rows * height
    if size[0] * size[1] > _MOST_PIXELS or max(size) > _LONGEST:
        raise ValueError(
            f'a sheet of {num_clusters} clusters with {crops} masks of {side} pixels each would '
            f'have {size[0]}x{size[1]} pixels; expected at most {_MOST_PIXELS // 10**6} million: '
            'lower --masks or --side'
        )


def _layout(num_clusters: int, crops: int, side: int) -> tuple[int, int, int, int]:
    """Return the numbers of columns and rows, and the width and height of a cluster."""
    columns = 1 if num_clusters <= _ONE_COLUMN else 2
    width = max(crops, 4) * (side + _GAP) + 2 * _MARGIN
    return columns, -(-num_clusters // columns), width, 2 * _LINE + side + _MARGIN


def _write(draw, x: int, y: int, text: str, color: tuple[int, int, int], room: int) -> None:
    """Write a line of text, shortened to the room."""
    font = legend_font(text, _TEXT)
    if font.getlength(text) > room:
        while text and font.getlength(f'{text}...') > room:
            text = text[:-1]
        text = f'{text.rstrip(" ,")}...'
    draw.text((x, y), text, color, font)
