"""Dense features of an image at its own size, as a linear map of the cells of their grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmseg_langseg.models.utils import bilinear_matrix

from .pixel_logits import Window, padding_of

Span = tuple[int, int]


@dataclass(frozen=True)
class PixelFeatures:
    """Features of all pixels of an image, ``einsum('hr,drc,wc->dhw', rows, cells, columns)``.

    They are those of the model input resized as :class:`PixelLogits` resizes logits: bilinearly to
    the window, averaged where windows overlap, without padding, flipped back, resized to the
    original image. All of these steps are linear and separable, so the ``(D, H, W)`` features need
    not be computed to average them over masks.

    Attributes:
        cells: ``(D, R, C)`` float32, the grids of all windows side by side.
        rows: ``(H, R)`` float32.
        columns: ``(W, C)`` float32.
    """

    cells: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def of(
        cls,
        windows: Sequence[Window],
        meta: dict,
        canvas: tuple[int, int],
        direct: bool,
        align_corners: bool,
    ) -> PixelFeatures:
        """Arrange the features of an image.

        Args:
            windows: Windows that cover the model input, row by row; in ``whole`` mode one.
            meta: Metainfo of the image (``ori_shape``, ``flip``, ``padding_size``, ...).
            canvas: (H, W) of the model input.
            direct: See :class:`PixelLogits`.
            align_corners: See ``F.interpolate``.
        """
        vertical = list(dict.fromkeys((y1, y2) for y1, _, y2, _ in (w.box for w in windows)))
        horizontal = list(dict.fromkeys((x1, x2) for _, x1, _, x2 in (w.box for w in windows)))
        grids = [window.features[-1][0].float() for window in windows]
        bands = [
            torch.cat(grids[start : start + len(horizontal)], dim=2)
            for start in range(0, len(grids), len(horizontal))
        ]
        left, right, top, bottom = padding_of(meta)
        flip = meta.get('flip_direction') if meta.get('flip') else None
        axes = (
            (vertical, (top, bottom), flip == 'vertical'),
            (horizontal, (left, right), flip == 'horizontal'),
        )
        rows, columns = (
            _axis(
                spans,
                grids[0].shape[1 + axis],
                canvas[axis],
                padding,
                meta['ori_shape'][axis],
                flipped,
                direct,
                align_corners,
            ).to(grids[0].device)
            for axis, (spans, padding, flipped) in enumerate(axes)
        )
        return cls(torch.cat(bands, dim=1), rows, columns)

    def pool(self, masks: Tensor) -> Tensor:
        """Average the features over masks, as ``mask_pool`` does.

        Args:
            masks: ``(N, H, W)`` bool.

        Returns:
            ``(N, D)``; zeros for an empty mask.
        """
        weights = self.rows.T @ (masks.float() @ self.columns)
        area = masks.flatten(1).sum(1).clamp_min(1)
        return (weights.flatten(1) / area[:, None]) @ self.cells.flatten(1).T


def _axis(
    spans: Sequence[Span],
    cells: int,
    side: int,
    padding: Span,
    target: int,
    flipped: bool,
    direct: bool,
    align_corners: bool,
) -> Tensor:
    """Return the matrix ``(target, len(spans) * cells)`` of one axis."""
    if direct:
        matrix = bilinear_matrix(cells, target, align_corners=align_corners)
        return matrix.flip(1) if flipped else matrix
    parts, coverage = [], torch.zeros(side, 1)
    for first, last in spans:
        part = torch.zeros(side, cells)
        part[first:last] = bilinear_matrix(cells, last - first, align_corners=align_corners)
        coverage[first:last] += 1
        parts.append(part)
    matrix = torch.cat(parts, dim=1) / coverage
    matrix = matrix[padding[0] : side - padding[1]]
    matrix = matrix.flip(0) if flipped else matrix
    return bilinear_matrix(len(matrix), target, align_corners=align_corners) @ matrix
