"""Read-out of MaskCLIP: the value path, without attention."""

from __future__ import annotations

from torch import Tensor

from ..blocks import AttentionBlock
from .dense_readout import READOUTS, DenseReadout


@READOUTS.register_module(name='value')
class ValueReadout(DenseReadout):
    """MaskCLIP's features: the value path plus the token's residual (ECCV 2022, Sec. 3.2)."""

    unused = ('queries', 'keys')

    def __call__(self, block: AttentionBlock, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Compute the output of the block, see :class:`DenseReadout`."""
        values = block.project(block.values(tokens))
        return block.add_mlp(self.residual(tokens) + values)

    def residual(self, tokens: Tensor) -> Tensor:
        """Return what is added to the value path, ``(B, N, C)`` or ``(B, 1, C)``."""
        return tokens
