"""Read-out of ClearCLIP: query-query attention without residual and MLP."""

from __future__ import annotations

from .attention_readout import AttentionReadout
from .dense_readout import READOUTS


@READOUTS.register_module(name='clearclip')
class ClearCLIPReadout(AttentionReadout):
    """ClearCLIP (Lan et al., ECCV 2024): ``softmax(s q q^T)``, without residual and MLP.

    Args:
        residual: See :class:`AttentionReadout`.
    """

    def __init__(self, residual: bool = False) -> None:
        super().__init__(('qq',), residual)
