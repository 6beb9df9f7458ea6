"""Read-out of SCLIP: correlative self-attention."""

from __future__ import annotations

from .attention_readout import AttentionReadout
from .dense_readout import READOUTS


@READOUTS.register_module(name='sclip')
class SCLIPReadout(AttentionReadout):
    """SCLIP (Wang et al., ECCV 2024): tokens attend to tokens of similar queries and keys.

    The weights are ``softmax(s q q^T) + softmax(s k k^T)``, a sum of two; residual and MLP stay.

    Args:
        residual: See :class:`AttentionReadout`.
    """

    def __init__(self, residual: bool = True) -> None:
        super().__init__(('qq', 'kk'), residual)
