"""Read-out of NACLIP: key-key attention to the neighborhood."""

from __future__ import annotations

import torch
from torch import Tensor

from .attention_readout import AttentionReadout
from .dense_readout import READOUTS


@READOUTS.register_module(name='naclip')
class NACLIPReadout(AttentionReadout):
    """NACLIP (Hajimiri et al., WACV 2025): ``softmax(s k k^T + G)``.

    ``G(i, j) = exp(-d^2 / (2 std^2))`` with d the distance of two patches in grid units; 0 for the
    class token. By default without residual and MLP, the paper's reduced architecture.

    Args:
        std: Standard deviation of the Gaussian, in patches.
        residual: See :class:`AttentionReadout`.
    """

    def __init__(self, std: float = 5.0, residual: bool = False) -> None:
        super().__init__(('kk',), residual)
        if not std > 0:
            raise ValueError(f'std={std}: expected a number of patches above 0.')
        self.std = std

    def bias(self, grid: tuple[int, int], tokens: Tensor) -> Tensor:
        """Return ``(P + h*w, P + h*w)``, see :meth:`AttentionReadout.bias`."""
        # A product of one Gaussian per axis.
        rows, columns = (
            torch.exp(-((i[:, None] - i) ** 2) / (2 * self.std**2))
            for i in (torch.arange(side, device=tokens.device, dtype=tokens.dtype) for side in grid)
        )
        patches = grid[0] * grid[1]
        prefix = tokens.shape[1] - patches
        bias = tokens.new_zeros(tokens.shape[1], tokens.shape[1])
        bias[prefix:, prefix:] = torch.einsum('ik,jl->ijkl', rows, columns).reshape(
            patches, patches
        )
        return bias
