"""One sentence with many prompts in it, whose beginning is encoded only once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, TextTransformer
from torch import Tensor, nn

from ..backbones.blocks import OpenCLIPBlock


def can_share_prefix(text: nn.Module) -> bool:
    """Return whether :func:`encode_shared` supports a text tower: causal, read at its end."""
    if not isinstance(text, TextTransformer) or text.attn_mask is None or text.cls_emb is not None:
        return False
    blocks = text.transformer.resblocks
    reads_the_end = text.pool_type in ('argmax', 'eos')
    return reads_the_end and all(isinstance(block, ResidualAttentionBlock) for block in blocks)


def encode_shared(text: TextTransformer, ids: Tensor, start: int, prompts: Tensor) -> Tensor:
    """Encode a sentence with each of several prompts, in float32.

    With causal attention, what precedes the prompt is the same for all prompts, and does not depend
    on them: it is computed once and without gradient. Of the last block, only the last token is
    computed.

    Args:
        text: Text tower, see :func:`can_share_prefix`.
        ids: ``(L,)`` int64 token ids of the sentence, up to the token that is read.
        start: Position of the first token of the prompts, above 0.
        prompts: ``(K, l, C)`` token embeddings that replace those of the sentence.

    Returns:
        ``(K, D)``, not normalized, differentiable with respect to the prompts.
    """
    with torch.autocast(prompts.device.type, enabled=False):
        embedded = text.token_embedding(ids.to(prompts.device)).expand(len(prompts), -1, -1)
        parts = embedded[:, :start], prompts, embedded[:, start + prompts.shape[1] :]
        tokens = torch.cat(parts, 1) + text.positional_embedding[: len(ids)]
        shared, own = tokens[:1, :start].detach(), tokens[:, start:]
        seen = torch.ones(own.shape[1], len(ids), dtype=torch.bool, device=own.device).tril(start)
        *blocks, last = map(OpenCLIPBlock, text.transformer.resblocks)
        for block in blocks:
            with torch.no_grad():
                queries, *memory = block.all_heads(shared)
                attended = F.scaled_dot_product_attention(queries, *memory, is_causal=True)
                shared = block.finish(shared, attended)
            own = _attend(block, own, memory, seen, len(ids) - start)
        with torch.no_grad():
            memory = last.all_heads(shared)[1:]
        pooled = text.ln_final(_attend(last, own, memory, seen, 1))[:, 0]
        if text.text_projection is None:
            return pooled
        if isinstance(text.text_projection, nn.Linear):
            return text.text_projection(pooled)
        return pooled @ text.text_projection


def _attend(
    block: OpenCLIPBlock, tokens: Tensor, memory: list[Tensor], seen: Tensor, count: int
) -> Tensor:
    """Compute the output of a block for the last tokens.

    Args:
        block: The block.
        tokens: Input ``(K, n, C)`` after the shared beginning.
        memory: Keys and values of the beginning, ``(1, heads, start, C / heads)`` each.
        seen: ``(n, start + n)`` bool, what each token attends to.
        count: Number of tokens to compute.
    """
    queries, *own = block.all_heads(tokens)
    keys, values = (
        torch.cat([first.expand(len(tokens), -1, -1, -1), rest], 2)
        for first, rest in zip(memory, own, strict=True)
    )
    attended = F.scaled_dot_product_attention(
        queries[:, :, -count:], keys, values, attn_mask=seen[-count:]
    )
    return block.finish(tokens[:, -count:], attended)
