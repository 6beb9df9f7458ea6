"""Read-outs that replace the attention weights of the last block."""

from __future__ import annotations

from torch import Tensor

from ..blocks import AttentionBlock
from .dense_readout import READOUTS, DenseReadout


@READOUTS.register_module(name='attention')
class AttentionReadout(DenseReadout):
    """Runs the last block with other attention weights, and on request without residual and MLP.

    The weights are ``sum_t softmax(s a_t b_t^T)`` over terms such as ``'qk'`` (the ordinary
    attention), ``'qq'`` or ``'kk'``, for each head, with ``s`` the scale of the block.

    Args:
        terms: Terms of the attention weights: pairs of the letters q, k and v. Without terms, each
            token attends to itself (the value path of MaskCLIP).
        residual: Add the input of the block and run its MLP; otherwise the output is the attended
            values after the output projection alone.
    """

    positions = 'scale'

    def __init__(self, terms: tuple[str, ...] = ('qk',), residual: bool = True) -> None:
        unknown = [term for term in terms if len(term) != 2 or set(term) - set('qkv')]
        if unknown:
            raise ValueError(
                f"terms={terms!r}: expected pairs of the letters q, k and v, e.g. ('qq', 'kk')."
            )
        self.terms = tuple(terms)
        self.residual = residual
        used = set(''.join(self.terms))
        self.unused = tuple(part for part in ('queries', 'keys') if part[0] not in used)
        self.unused += () if residual else ('mlp',)

    def __call__(self, block: AttentionBlock, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Compute the output of the block, see :class:`DenseReadout`."""
        parts = block.heads(tokens, ''.join({'v'}.union(*self.terms)))
        bias = self.bias(grid, tokens)
        attended = None if self.terms else parts['v']
        for first, second in self.terms:
            logits = block.scale * parts[first] @ parts[second].transpose(-2, -1)
            weights = (logits if bias is None else logits + bias).softmax(-1)
            values = weights @ parts['v']
            attended = values if attended is None else attended + values
        out = block.project(attended.transpose(1, 2).flatten(2))
        return block.add_mlp(tokens + out) if self.residual else out

    def bias(self, grid: tuple[int, int], tokens: Tensor) -> Tensor | None:
        """Return what is added to the attention logits ``(P + h*w, P + h*w)``, or None.

        Args:
            grid: (h, w).
            tokens: Input of the block ``(B, P + h*w, C)``.
        """
        return None
