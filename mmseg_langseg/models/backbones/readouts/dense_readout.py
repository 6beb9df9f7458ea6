"""Base class of dense read-outs: how patch features are taken from the last block of a CLIP ViT."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.registry import Registry
from torch import Tensor, nn

READOUTS = Registry('dense read-out', scope='mmseg')
"""Dense read-outs by name; every module of this folder is imported."""


class DenseReadout:
    """Dense read-out: maps the last block of a CLIP ViT and its input tokens to output tokens.

    The attention of that block pools the image for the class token and blurs the patch features;
    read-outs replace it (MaskCLIP, Zhou et al., ECCV 2022, Sec. 3.2). To add one, put a subclass
    into a file of this folder, registered in ``READOUTS`` under its name.

    Attributes:
        positions: How position embeddings are resized to another grid, see
            ``CLIPVisionTransformer``: ``'size'`` or ``'scale'``.
    """

    positions = 'size'

    def __call__(self, block: nn.Module, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Compute the output of the block.

        Args:
            block: open_clip ``ResidualAttentionBlock``.
            tokens: Input of the block ``(B, 1 + h*w, C)``, class token first.
            grid: (h, w).

        Returns:
            ``(B, 1 + h*w, C)``.
        """
        raise NotImplementedError


def input_projection(block: nn.Module, tokens: Tensor, part: int) -> Tensor:
    """Return queries (0), keys (1) or values (2) of a block's attention, ``(B, N, C)``."""
    attention = block.attn
    rows = slice(part * attention.embed_dim, (part + 1) * attention.embed_dim)
    return F.linear(
        block.ln_1(tokens), attention.in_proj_weight[rows], attention.in_proj_bias[rows]
    )


def key_projection(block: nn.Module, tokens: Tensor) -> Tensor:
    """Return the keys of each token, heads concatenated, ``(B, N, C) -> (B, N, C)``.

    MaskCLIP's key smoothing compares pixels by them (Sec. 3.2). The official code also applies the
    output projection to the keys of a ViT (and not to those of a ResNet); that is omitted here.
    """
    return input_projection(block, tokens, 1)


def output_projection(block: nn.Module, tokens: Tensor) -> Tensor:
    """Apply the output projection of a block's attention to ``(B, N, C)``."""
    return block.ls_1(block.attn.out_proj(tokens))


def add_mlp(block: nn.Module, tokens: Tensor) -> Tensor:
    """Apply the block's MLP with its residual: ``x + MLP(LN(x))`` on ``(B, N, C)``."""
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
