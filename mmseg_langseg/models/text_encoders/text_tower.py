"""Text towers of open_clip, of all kinds: what they read, and how token ids are encoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from open_clip.transformer import TextTransformer
from torch import Tensor, nn


def token_table(text: nn.Module) -> nn.Embedding:
    """Return the table of token embeddings of a text tower."""
    if isinstance(text, TextTransformer):
        return text.token_embedding
    return text.transformer.get_input_embeddings()


def encode_ids(text: nn.Module, ids: Tensor) -> Tensor:
    """Encode token ids in float32, leaving out columns that cannot change the output.

    Args:
        text: Text tower of an ``open_clip.CustomTextCLIP``.
        ids: ``(N, L)`` int64, in the context length of the model.

    Returns:
        ``(N, D)``, not normalized; that of the model's ``encode_text``.
    """
    ids = cut_unread(ids, text).to(token_table(text).weight.device)
    with torch.autocast(ids.device.type, enabled=False), _mask_for(text, ids.shape[1]):
        output = text(ids)
    return output[0] if isinstance(output, tuple) else output


def cut_unread(ids: Tensor, text: nn.Module) -> Tensor:
    """Cut columns that cannot change the output: those after the token that is read.

    This needs causal attention, or a mask of the padding. Other towers read the whole context.

    Args:
        ids: ``(N, L)`` int64.
        text: See :func:`encode_ids`.
    """
    if not isinstance(text, TextTransformer):  # of Hugging Face, which masks the padding
        used = (ids != text.config.pad_token_id).nonzero()[:, 1]
    elif text.attn_mask is None or text.cls_emb is not None:
        return ids
    elif text.pool_type == 'argmax':
        used = ids.argmax(1)
    elif text.pool_type == 'eos':
        used = (ids == text.eos_id).int().argmax(1)
    else:
        return ids
    return ids[:, : int(used.max()) + 1]


@contextlib.contextmanager
def _mask_for(text: nn.Module, length: int) -> Iterator[None]:
    """Cuts the causal mask to a length, which open_clip's text tower does not do itself."""
    mask = getattr(text, 'attn_mask', None)
    if mask is None or text.cls_emb is not None:
        yield
        return
    text.attn_mask = mask[:length, :length]
    try:
        yield
    finally:
        text.attn_mask = mask


def output_width(text: nn.Module) -> int:
    """Return the embedding width D of a text tower."""
    if isinstance(text, TextTransformer) and text.text_projection is None:
        return text.width
    return text.output_dim
