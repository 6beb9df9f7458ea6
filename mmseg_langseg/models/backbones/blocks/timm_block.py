"""Blocks of timm's ViTs."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from timm.layers import AttentionRope, apply_rot_embed_cat
from timm.layers.attention import Attention
from timm.models.eva import EvaAttention, EvaBlock, EvaBlockPostNorm
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from .attention_block import AttentionBlock


class TimmBlock(AttentionBlock):
    """A block of timm's ``VisionTransformer`` (SigLIP, ViTamin, MobileCLIP) or ``Eva`` (EVA, PE).

    Args:
        block: The module.
        rope: Rotary position embedding of the patches ``(h*w, 2 * C / heads)``, or None.

    Raises:
        ValueError: If the block or its attention is of another class.
    """

    def __init__(self, block: nn.Module, rope: Tensor | None = None) -> None:
        super().__init__(block)
        self.rope = rope
        attention = block.attn
        known = isinstance(block, (Block, EvaBlock, EvaBlockPostNorm)) and isinstance(
            attention, (Attention, AttentionRope, EvaAttention)
        )
        grouped = getattr(attention, 'num_kv_heads', attention.num_heads) != attention.num_heads
        if not known or grouped or getattr(attention, 'gate', None) is not None:
            raise ValueError(
                f'The last block is a {type(block).__name__} with {type(attention).__name__}: '
                'expected a Block, EvaBlock or EvaBlockPostNorm of timm with as many key heads as '
                'query heads and without a gate.'
            )
        self.norm_after = isinstance(block, EvaBlockPostNorm)

    @property
    def scale(self) -> float:
        """Factor of the attention logits."""
        return self.block.attn.scale

    def parameters(self, part: str) -> list[nn.Parameter]:
        """Return the parameters of only a part, see :class:`AttentionBlock`."""
        if part == 'mlp':
            names = r'norm2\.|mlp\.|ls2\.|gamma_2$'
        else:
            letter = part[0]
            names = rf'attn\.{letter}_(proj|norm|bias)'
        return [p for name, p in self.block.named_parameters() if re.match(names, name)]

    def __call__(self, tokens: Tensor) -> Tensor:
        """Run the block as trained, ``(B, N, C) -> (B, N, C)``."""
        return self.block(tokens) if self.rope is None else self.block(tokens, rope=self.rope)

    def heads(self, tokens: Tensor, names: str = 'qkv') -> dict[str, Tensor]:
        """Return queries, keys and values, see :class:`AttentionBlock`."""
        attention, normed = self.block.attn, self._normed(tokens)
        parts = {}
        for name in names:
            part = self._input(normed, name).unflatten(2, (attention.num_heads, -1))
            parts[name] = part.transpose(1, 2)
            if name != 'v':
                norm = attention.q_norm if name == 'q' else attention.k_norm
                parts[name] = self._rotate(norm(parts[name]))
        return parts

    def values(self, tokens: Tensor) -> Tensor:
        """Return the values, see :class:`AttentionBlock`."""
        return self._input(self._normed(tokens), 'v')

    def keys(self, tokens: Tensor) -> Tensor:
        """Return the keys, see :class:`AttentionBlock`."""
        return self._input(self._normed(tokens), 'k')

    def project(self, attended: Tensor) -> Tensor:
        """Apply the output projection, see :class:`AttentionBlock`."""
        block = self.block
        out = block.attn.proj(block.attn.norm(attended))
        out = block.norm1(out) if self.norm_after else out
        return _layer_scale(block, out, 1)

    def add_mlp(self, tokens: Tensor) -> Tensor:
        """Apply the MLP with its residual, see :class:`AttentionBlock`."""
        block = self.block
        if self.norm_after:
            return tokens + block.norm2(block.mlp(tokens))
        return tokens + _layer_scale(block, block.mlp(block.norm2(tokens)), 2)

    def _normed(self, tokens: Tensor) -> Tensor:
        return tokens if self.norm_after else self.block.norm1(tokens)

    def _input(self, normed: Tensor, name: str) -> Tensor:
        """Return queries (q), keys (k) or values (v), ``(B, N, C)``."""
        attention = self.block.attn
        if attention.qkv is None:
            return getattr(attention, f'{name}_proj')(normed)
        weight = attention.qkv.weight.chunk(3)['qkv'.index(name)]
        bias = attention.qkv.bias
        if bias is not None:
            bias = bias.chunk(3)['qkv'.index(name)]
        elif getattr(attention, 'q_bias', None) is not None:
            bias = getattr(attention, f'{name}_bias')
        return F.linear(normed, weight, bias)

    def _rotate(self, heads: Tensor) -> Tensor:
        """Apply rotary positions to the patches of ``(B, heads, N, C / heads)``."""
        if self.rope is None:
            return heads
        prefix = self.block.attn.num_prefix_tokens
        # Only newer versions of timm have the other layout.
        layout = {'half': True} if getattr(self.block.attn, 'rotate_half', False) else {}
        patches = apply_rot_embed_cat(heads[:, :, prefix:], self.rope, **layout)
        return torch.cat([heads[:, :, :prefix], patches.type_as(heads)], 2)


def _layer_scale(block: nn.Module, tokens: Tensor, number: int) -> Tensor:
    gamma = getattr(block, f'gamma_{number}', None)
    if gamma is not None:
        return gamma * tokens
    return getattr(block, f'ls{number}', nn.Identity())(tokens)
