"""Read-out of PixelCLIP: the value path with the residual of the class token."""

from __future__ import annotations

from torch import Tensor

from .dense_readout import READOUTS
from .value import ValueReadout


@READOUTS.register_module(name='value_cls')
class ValueClassReadout(ValueReadout):
    """PixelCLIP's features: the value path plus the class token's residual for every token.

    The paper's text says MaskCLIP (Sec. 3.1); the released code adds ``x[class]`` instead of the
    token's own residual, and its results depend on that.
    """

    needs_class_token = True

    def residual(self, tokens: Tensor) -> Tensor:
        """Return the input of the class token, ``(B, 1, C)``."""
        return tokens[:, :1]
