"""Adaptive average pooling as matrix products."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _pair


class AveragePool(nn.Module):
    """``nn.AdaptiveAvgPool2d`` for images of one size, as two matrix products.

    ONNX has no adaptive pooling, and torch can express it only if the output size divides that of
    the input. The means over rows and over columns are independent, so each is a matrix.

    Args:
        output_size: (h, w), or a number for both; None keeps a side.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None] | None) -> None:
        super().__init__()
        self.output_size = _pair(output_size)

    def forward(self, maps: Tensor) -> Tensor:
        """Pools ``(B, C, H, W)`` to ``(B, C, h, w)``."""
        rows, columns = (
            _averages(int(side), int(side) if count is None else count).to(maps)
            for side, count in zip(maps.shape[2:], self.output_size, strict=True)
        )
        return rows @ maps @ columns.T


def replace_adaptive_pooling(module: nn.Module) -> None:
    """Replaces all ``nn.AdaptiveAvgPool2d`` in a module by :class:`AveragePool`."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.AdaptiveAvgPool2d:
                setattr(parent, name, AveragePool(child.output_size))


def _averages(side: int, count: int) -> Tensor:
    """Return ``(count, side)``: each row averages the entries of one of the overlapping bins."""
    matrix = torch.zeros(count, side)
    for index in range(count):
        first, last = index * side // count, -(-(index + 1) * side // count)
        matrix[index, first:last] = 1 / (last - first)
    return matrix
