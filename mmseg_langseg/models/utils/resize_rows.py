"""Bilinear resizing of some rows of an image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def source_rows(
    rows: tuple[int, int], size: int, target: int, align_corners: bool = False
) -> tuple[int, int]:
    """Return the rows that rows of a resized image are interpolated from.

    Args:
        rows: First row of the resized image, and the row after the last.
        size: Number of rows of the image.
        target: Number of rows of the resized image.
        align_corners: See ``F.interpolate``.

    Returns:
        First row needed, and the row after the last.
    """
    upper, lower, _ = _neighbors(rows, size, target, align_corners)
    return int(upper[0]), int(lower[-1]) + 1


def resize_rows(
    image: Tensor,
    size: tuple[int, int],
    rows: tuple[int, int],
    source: tuple[int, int] | None = None,
    align_corners: bool = False,
) -> Tensor:
    """Compute rows of ``F.interpolate(image, size, mode='bilinear')``.

    Args:
        image: ``(C, h, w)`` float, or those of its rows that :func:`source_rows` returns.
        size: (H, W) of the resized image.
        rows: First row to compute, and the row after the last.
        source: First row of the image in ``image``, and the number h of rows of the whole image;
            None if ``image`` is whole.
        align_corners: See ``F.interpolate``.

    Returns:
        ``(C, rows[1] - rows[0], W)``; if ``rows`` are all rows, the same bits as ``F.interpolate``.
    """
    first, height = (0, image.shape[1]) if source is None else source
    if rows == (0, size[0]):
        if tuple(size) == tuple(image.shape[1:]):
            return image.clone()
        return F.interpolate(image[None], size, mode='bilinear', align_corners=align_corners)[0]
    upper, lower, weight = _neighbors(rows, height, size[0], align_corners)
    # The interpolation is separable: the columns of the rows needed, then the rows.
    start, stop = int(upper[0]) - first, int(lower[-1]) + 1 - first
    image = F.interpolate(
        image[None, :, start:stop],
        (stop - start, size[1]),
        mode='bilinear',
        align_corners=align_corners,
    )[0]
    offset = first + start
    weight = weight.to(image)[:, None]
    top = image[:, (upper - offset).to(image.device)]
    return top.lerp(image[:, (lower - offset).to(image.device)], weight)


def _neighbors(
    rows: tuple[int, int], size: int, target: int, align_corners: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each row the two rows that it lies between, and the weight of the second."""
    index = torch.arange(*rows, dtype=torch.float64)
    if align_corners:
        position = index * ((size - 1) / max(target - 1, 1))
    else:
        position = ((index + 0.5) * (size / target) - 0.5).clamp(min=0)
    upper = position.floor().long().clamp(max=size - 1)
    return upper, (upper + 1).clamp(max=size - 1), position - upper
