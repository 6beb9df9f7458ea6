"""Blocks of open_clip's own ViT."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .attention_block import AttentionBlock


class OpenCLIPBlock(AttentionBlock):
    """An open_clip ``ResidualAttentionBlock``."""

    @property
    def scale(self) -> float:
        """Factor of the attention logits."""
        return self.block.attn.head_dim**-0.5

    def parameters(self, part: str) -> list[nn.Parameter]:
        """Return the parameters of a part; queries, keys and values share one tensor."""
        if part != 'mlp':
            return []
        modules = nn.ModuleList([self.block.ln_2, self.block.mlp, self.block.ls_2])
        return list(modules.parameters())

    def __call__(self, tokens: Tensor) -> Tensor:
        """Run the block as trained, ``(B, N, C) -> (B, N, C)``."""
        if not isinstance(self.block.attn, nn.MultiheadAttention):
            return self.block(tokens)
        attended = F.scaled_dot_product_attention(*self.all_heads(tokens))
        return self.finish(tokens, attended)

    def finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Return the output ``(B, N, C)``.

        Args:
            tokens: Input of the block ``(B, N, C)``.
            attended: Attended values of each head ``(B, heads, N, C / heads)``.
        """
        return self.add_mlp(tokens + self.project(attended.transpose(1, 2).flatten(2)))

    def all_heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values ``(B, heads, N, C / heads)`` in one product.

        nn.MultiheadAttention transposes its input, and then projects it row by row on a CPU.
        """
        attention = self.block.attn
        projected = F.linear(
            self.block.ln_1(tokens), attention.in_proj_weight, attention.in_proj_bias
        )
        return projected.unflatten(2, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind()

    def heads(self, tokens: Tensor, names: str = 'qkv') -> dict[str, Tensor]:
        """Return queries, keys and values, see :class:`AttentionBlock`."""
        normed, count = self.block.ln_1(tokens), self.block.attn.num_heads
        return {
            name: self._input(normed, 'qkv'.index(name)).unflatten(2, (count, -1)).transpose(1, 2)
            for name in names
        }

    def values(self, tokens: Tensor) -> Tensor:
        """Return the values, see :class:`AttentionBlock`."""
        return self._input(self.block.ln_1(tokens), 2)

    def keys(self, tokens: Tensor) -> Tensor:
        """Return the keys, see :class:`AttentionBlock`."""
        return self._input(self.block.ln_1(tokens), 1)

    def project(self, attended: Tensor) -> Tensor:
        """Apply the output projection, see :class:`AttentionBlock`."""
        return self.block.ls_1(self.block.attn.out_proj(attended))

    def add_mlp(self, tokens: Tensor) -> Tensor:
        """Apply the MLP with its residual, see :class:`AttentionBlock`."""
        return tokens + self.block.ls_2(self.block.mlp(self.block.ln_2(tokens)))

    def _input(self, normed: Tensor, part: int) -> Tensor:
        """Return queries (0), keys (1) or values (2), ``(B, N, C)``."""
        attention = self.block.attn
        rows = slice(part * attention.embed_dim, (part + 1) * attention.embed_dim)
        return F.linear(normed, attention.in_proj_weight[rows], attention.in_proj_bias[rows])
