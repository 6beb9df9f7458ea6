"""Read-out of MaskCLIP: the value path, without attention."""

from __future__ import annotations

from torch import Tensor, nn

from .dense_readout import READOUTS, DenseReadout, add_mlp, input_projection, output_projection


@READOUTS.register_module(name='value')
class ValueReadout(DenseReadout):
    """MaskCLIP's features: the value path plus the token's residual (ECCV 2022, Sec. 3.2)."""

    def __call__(self, block: nn.Module, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Compute the output of the block, see :class:`DenseReadout`."""
        values = output_projection(block, input_projection(block, tokens, 2))
        return add_mlp(block, self.residual(tokens) + values)

    def residual(self, tokens: Tensor) -> Tensor:
        """Return what is added to the value path, ``(B, N, C)`` or ``(B, 1, C)``."""
        return tokens
