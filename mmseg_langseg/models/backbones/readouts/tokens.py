"""Plain tokens of the last block."""

from __future__ import annotations

from torch import Tensor

from ..blocks import AttentionBlock
from .dense_readout import READOUTS, DenseReadout


@READOUTS.register_module(name='tokens')
class TokensReadout(DenseReadout):
    """Runs the last block as trained."""

    def __call__(self, block: AttentionBlock, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Compute the output of the block, see :class:`DenseReadout`."""
        return block(tokens)
