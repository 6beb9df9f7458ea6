"""Class logits of an image at its own size, computed for some classes and rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mmseg_langseg.models.utils import resize_rows, source_rows

from .class_logits import ClassLogits

_KEPT_BYTES = 128 * 2**20

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Window:
    """Part of a model input, and its dense features.

    Attributes:
        box: First row, first column, row after the last, and column after the last.
        features: Input of the decode head: feature maps ``(1, D, h, w)``.
    """

    box: Box
    features: tuple[Tensor, ...]


class PixelLogits(ClassLogits):
    """Logits from the dense features of an image, or of its sliding windows.

    They are computed as ``EncoderDecoder`` does: scores on the head's grid, resized to the window,
    averaged where windows overlap, without padding, flipped back, resized to the original image.

    Args:
        head: A ``LanguageHead``.
        windows: Windows that cover the model input; in ``whole`` mode one.
        meta: Metainfo of the image (``ori_shape``, ``flip``, ``padding_size``, ...).
        canvas: (H, W) of the model input.
        direct: Resize from the head's grid to the image in one step: ``whole`` mode of
            ``LanguageSegmentor`` without padding.
        align_corners: See ``F.interpolate``.
        keep_scores: Keep the scores of all classes on the grids if they take at most 128 MiB.
    """

    def __init__(
        self,
        head: torch.nn.Module,
        windows: list[Window],
        meta: dict,
        canvas: tuple[int, int],
        direct: bool,
        align_corners: bool,
        keep_scores: bool = True,
    ) -> None:
        self.head = head
        self.size = tuple(meta['ori_shape'][:2])
        self.score_classes = tuple(head.score_classes.tolist())
        self._windows = windows
        self._canvas = canvas
        self._padding = padding_of(meta)
        self._flip = meta.get('flip_direction') if meta.get('flip') else None
        self._direct = direct
        self._align_corners = align_corners
        self._keep_scores = keep_scores

    def scores(self, start: int, stop: int, rows: tuple[int, int] | None = None) -> Tensor:
        """Compute the logits of some embedding rows, see :meth:`ClassLogits.scores`."""
        rows = (0, self.size[0]) if rows is None else rows
        if self._direct:
            grid = self._flipped(self._grid(0, start, stop))
            return resize_rows(grid, self.size, rows, align_corners=self._align_corners)
        left, right, top, bottom = self._padding
        height = self._canvas[0] - top - bottom
        first, last = source_rows(rows, height, self.size[0], self._align_corners)
        if rows == (0, self.size[0]):
            first, last = 0, height
        on_canvas = (height - last, height - first) if self._flip == 'vertical' else (first, last)
        band = average_overlaps(
            [window.box for window in self._windows],
            lambda index, own: self._window(index, start, stop, own),
            (on_canvas[0] + top, on_canvas[1] + top),
            self._canvas[1],
        )
        band = self._flipped(band[..., left : self._canvas[1] - right])
        return resize_rows(band, self.size, rows, (first, height), self._align_corners)

    @cached_property
    def _kept(self) -> list[Tensor] | None:
        """Scores of all windows on their grids, if they are small."""
        if not self._keep_scores:
            return None
        height, width = self.head.feature_size or self._windows[0].features[-1].shape[2:]
        pixels = height * width * len(self._windows)
        if 4 * pixels * len(self.score_classes) > _KEPT_BYTES:
            return None
        return [self.head.scores(window.features)[0] for window in self._windows]

    def _grid(self, window: int, start: int, stop: int) -> Tensor:
        if self._kept is not None:
            return self._kept[window][start:stop]
        return self.head.scores(self._windows[window].features, start, stop)[0]

    def _window(self, index: int, start: int, stop: int, rows: tuple[int, int]) -> Tensor:
        y1, x1, y2, x2 = self._windows[index].box
        grid = self._grid(index, start, stop)
        return resize_rows(grid, (y2 - y1, x2 - x1), rows, align_corners=self._align_corners)

    def _flipped(self, logits: Tensor) -> Tensor:
        if self._flip is None:
            return logits
        return logits.flip(2 if self._flip == 'horizontal' else 1)


def average_overlaps(
    boxes: Sequence[Box],
    scores: Callable[[int, tuple[int, int]], Tensor],
    rows: tuple[int, int],
    width: int,
) -> Tensor:
    """Average the scores of overlapping parts of an image over some of its rows.

    Args:
        boxes: Parts that cover the image: all pairs of some row and column intervals.
        scores: Function of the index of a part, and first row in it and the one after the last,
            which returns scores ``(R, rows, W of the part)``.
        rows: First row of the image, and the one after the last.
        width: Width of the image.

    Returns:
        ``(R, rows, width)``.
    """
    total = None
    for index, (y1, x1, y2, x2) in enumerate(boxes):
        first, last = max(y1, rows[0]), min(y2, rows[1])
        if first >= last:
            continue
        part = scores(index, (first - y1, last - y1))
        if total is None:
            total = part.new_zeros(len(part), rows[1] - rows[0], width)
        total[:, first - rows[0] : last - rows[0], x1:x2] += part
    per_row = _coverage({(y1, y2) for y1, _, y2, _ in boxes}, rows).to(total)
    per_column = _coverage({(x1, x2) for _, x1, _, x2 in boxes}, (0, width)).to(total)
    return total.div_(per_row[:, None] * per_column)


def _coverage(intervals: set[tuple[int, int]], span: tuple[int, int]) -> Tensor:
    """Return how many intervals each index of a span is in."""
    index = torch.arange(*span)
    return sum(((index >= first) & (index < last)).int() for first, last in intervals)


def window_boxes(size: tuple[int, int], crop: Sequence[int], stride: Sequence[int]) -> list[Box]:
    """Return the sliding windows of ``EncoderDecoder.slide_inference``, row by row.

    Args:
        size: (H, W) of the image.
        crop: (H, W) of a window; windows are as small as the image if it is smaller.
        stride: Rows and columns between neighboring windows.
    """
    starts = []
    for side, length, step in zip(size, crop, stride, strict=True):
        last = max(side - length, 0)
        starts.append([min(i * step, last) for i in range(-(-last // step) + 1)])
    height, width = (min(side, length) for side, length in zip(size, crop, strict=True))
    return [(y, x, y + height, x + width) for y in starts[0] for x in starts[1]]


def padding_of(meta: dict) -> tuple[int, int, int, int]:
    """Return the padding of an image: left, right, top, bottom, in pixels of the model input."""
    return tuple(meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0))))
