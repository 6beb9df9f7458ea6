"""Plain tokens of the last block."""

from __future__ import annotations

from torch import Tensor, nn

from .dense_readout import READOUTS, DenseReadout


@READOUTS.register_module(name='tokens')
class TokensReadout(DenseReadout):
    """Runs the last block as trained."""

    def __call__(self, block: nn.Module, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Compute the output of the block, see :class:`DenseReadout`."""
        if getattr(block.attn, 'batch_first', False):
            return block(tokens)
        return block(tokens.transpose(0, 1)).transpose(0, 1)
