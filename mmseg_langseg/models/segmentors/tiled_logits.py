"""Class logits of a large image, segmented in overlapping tiles."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .pixel_logits import Box, PixelLogits, average_overlaps


class TiledLogits:
    """Logits of an image of which each tile was segmented on its own, averaged in the overlaps.

    It takes the place of :class:`PixelLogits`.

    Args:
        boxes: Tiles that cover the image.
        tiles: Logits of each tile, at the size of the tile.
        size: (H, W) of the image.
    """

    def __init__(
        self, boxes: Sequence[Box], tiles: Sequence[PixelLogits], size: tuple[int, int]
    ) -> None:
        self.size = size
        self.score_classes = tiles[0].score_classes
        self._boxes = boxes
        self._tiles = tiles

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return self._tiles[0].num_classes

    def scores(self, start: int, stop: int, rows: tuple[int, int]) -> Tensor:
        """Compute the logits ``(stop - start, rows, W)``, see :meth:`PixelLogits.scores`."""
        return average_overlaps(
            self._boxes,
            lambda index, own: self._tiles[index].scores(start, stop, own),
            rows,
            self.size[1],
        )
