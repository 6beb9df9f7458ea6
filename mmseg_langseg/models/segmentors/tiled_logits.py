"""Class logits of a large image, segmented in overlapping tiles."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .class_logits import ClassLogits
from .pixel_logits import Box, average_overlaps


class TiledLogits(ClassLogits):
    """Logits of an image of which each tile was segmented on its own, averaged in the overlaps.

    Args:
        boxes: Tiles that cover the image.
        tiles: Logits of each tile, at the size of the tile.
        size: (H, W) of the image.
    """

    def __init__(
        self, boxes: Sequence[Box], tiles: Sequence[ClassLogits], size: tuple[int, int]
    ) -> None:
        self.size = size
        self.score_classes = tiles[0].score_classes
        self._boxes = boxes
        self._tiles = tiles

    def scores(self, start: int, stop: int, rows: tuple[int, int] | None = None) -> Tensor:
        """Compute the logits of some embedding rows, see :meth:`ClassLogits.scores`."""
        rows = (0, self.size[0]) if rows is None else rows
        return average_overlaps(
            self._boxes,
            lambda index, own: self._tiles[index].scores(start, stop, own),
            rows,
            self.size[1],
        )
