"""PixelCLIP's learnable class prompts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from .open_clip_text_encoder import OpenCLIPTextEncoder
from .templates import get_templates


@MODELS.register_module()
class ClassPrompts(nn.Module):
    """k sentences with l learnable tokens each, read by the frozen text tower (PixelCLIP Sec. 3.3).

    The tokens start as embeddings of random words; the words are those of the official code for
    ``seed=0``. The global random state is not touched.

    Args:
        text_encoder: Gives the first embeddings. It is not kept.
        num_clusters: k (64 in the paper).
        length: l, tokens of a prompt (4 in the paper).
        templates: Template of the sentence, or several whose outputs are averaged.
        seed: Of the initial words.
        words: Words whose tokens the initial ones are drawn from. By default the whole vocabulary;
            give them to a text tower that has learned few words of it.

    Raises:
        ValueError: If ``num_clusters`` or ``length`` is not positive, ``words`` is empty, or the
            sentence with its prompt exceeds the text tower's context.
    """

    def __init__(
        self,
        text_encoder: OpenCLIPTextEncoder,
        num_clusters: int = 64,
        length: int = 4,
        templates: str | Sequence[str] = 'single',
        seed: int = 0,
        words: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if num_clusters < 1 or length < 1:
            raise ValueError(
                f'num_clusters={num_clusters}, length={length}: expected at least 1 each.'
            )
        self.num_clusters = num_clusters
        self.templates = get_templates(templates)
        if words is None:
            ids = initial_word_ids(text_encoder.vocab_size, num_clusters, length, seed)
        else:
            known = text_encoder.word_ids(words)
            ids = known[initial_positions(len(known), num_clusters, length, seed)]
        table = text_encoder.token_embedding.weight
        self.tokens = nn.Parameter(table.detach()[ids.to(table.device)].clone())
        with torch.no_grad():  # a prompt that is too long is told now, not in the first step
            text_encoder.encode_prompts(self.tokens[:1], self.templates)

    def forward(self, text_encoder: OpenCLIPTextEncoder) -> Tensor:
        """Embeddings ``f_C`` of the prompts ``(K, D)`` float32, not normalized."""
        return text_encoder.encode_prompts(self.tokens, self.templates)


def initial_word_ids(vocab_size: int, num_clusters: int, length: int, seed: int) -> Tensor:
    """Token ids ``(K, L)`` int64 of the first words; the last 10 tokens are left out."""
    return initial_positions(vocab_size - 10, num_clusters, length, seed)


def initial_positions(count: int, num_clusters: int, length: int, seed: int) -> Tensor:
    """Random numbers ``(K, L)`` int64 below ``count``."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(count, (num_clusters, length), generator=generator)
