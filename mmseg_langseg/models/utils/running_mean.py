"""Running mean (EMA) of embeddings during training."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn


class RunningMean(nn.Module):
    """Exponential moving average of the mean row, equal on all processes and kept on resume.

    The first rows initialize it; rows of zeros are ignored.

    Args:
        width: D.
        momentum: Weight of the old mean in the new one, in [0, 1].

    Raises:
        ValueError: If ``momentum`` is out of range.
    """

    value: Tensor

    def __init__(self, width: int, momentum: float = 0.99) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f'momentum={momentum}: expected a number from 0 to 1.')
        self.momentum = momentum
        self.register_buffer('value', torch.zeros(width))

    @torch.no_grad()
    def update(self, rows: Tensor) -> None:
        """Updates the mean with rows ``(M, D)``; a collective call, M may be 0."""
        counted = rows[rows.any(1)].float()
        total = torch.cat([counted.sum(0), counted.new_tensor([len(counted)])])
        all_reduce(total)
        if total[-1]:
            momentum = self.momentum if self.value.any() else 0.0
            self.value.lerp_((total[:-1] / total[-1]).to(self.value), 1 - momentum)
