"""Dense feature extraction ("read-out"): patch features from the last block of a CLIP ViT.

Each function maps the last block and its input tokens ``(B, 1 + h*w, C)``, class token first, to
output tokens of the same shape. The attention of that block pools the image for the class token
and blurs patch features; the value path omits it (MaskCLIP, Zhou et al., ECCV 2022, Sec. 3.2).
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn


def value_projection(block: nn.Module, tokens: Tensor) -> Tensor:
    """Apply the value and output projections to each token, without attention.

    Args:
        block: open_clip ``ResidualAttentionBlock``.
        tokens: Block input ``(B, N, C)``.

    Returns:
        ``(B, N, C)``.
    """
    return block.ls_1(block.attn.out_proj(_input_projection(block, tokens, 2)))


def key_projection(block: nn.Module, tokens: Tensor) -> Tensor:
    """Return the keys of each token, heads concatenated, ``(B, N, C) -> (B, N, C)``.

    MaskCLIP's key smoothing compares pixels by them (Sec. 3.2). The official code also applies the
    output projection to the keys of a ViT (and not to those of a ResNet); that is omitted here.
    """
    return _input_projection(block, tokens, 1)


def _input_projection(block: nn.Module, tokens: Tensor, part: int) -> Tensor:
    """Return queries (0), keys (1) or values (2) of the block's attention."""
    attention = block.attn
    rows = slice(part * attention.embed_dim, (part + 1) * attention.embed_dim)
    return F.linear(
        block.ln_1(tokens), attention.in_proj_weight[rows], attention.in_proj_bias[rows]
    )


def add_mlp(block: nn.Module, tokens: Tensor) -> Tensor:
    """Apply the block's MLP with its residual: ``x + MLP(LN(x))`` on ``(B, N, C)``."""
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))


def read_tokens(block: nn.Module, tokens: Tensor) -> Tensor:
    """Extract plain tokens: run the block as trained, ``(B, N, C) -> (B, N, C)``."""
    first = tokens if getattr(block.attn, 'batch_first', False) else tokens.transpose(0, 1)
    out = block(first)
    return out if getattr(block.attn, 'batch_first', False) else out.transpose(0, 1)


def read_value(block: nn.Module, tokens: Tensor) -> Tensor:
    """Extract MaskCLIP's features: value path plus own residual, ``(B, N, C) -> (B, N, C)``."""
    return add_mlp(block, tokens + value_projection(block, tokens))


def read_value_cls(block: nn.Module, tokens: Tensor) -> Tensor:
    """Extract PixelCLIP's features: value path plus the class token's residual for every token.

    The paper's text says MaskCLIP (Sec. 3.1); the released code adds ``x[class]`` instead of the
    token's own residual, and its results depend on that. ``(B, N, C) -> (B, N, C)``.
    """
    return add_mlp(block, tokens[:, :1] + value_projection(block, tokens))


READOUTS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    'tokens': read_tokens,
    'value': read_value,
    'value_cls': read_value_cls,
}
