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
    """k learnable prompts of l tokens each, encoded by the frozen text tower (PixelCLIP Sec. 3.3).

    The tokens are initialized with the embeddings of random words, which are those of the official
    code for ``seed=0``. The global random state is not touched.

    Args:
        text_encoder: Provides the initial embeddings; not stored.
        num_clusters: k (64 in the paper).
        length: l, tokens per prompt (4 in the paper).
        templates: Template of the sentence, or several whose outputs are averaged.
        seed: Seed of the initial words.
        words: Words from whose tokens the initial ones are drawn; by default all tokens. Set it
            for a text tower that was trained on few words.

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
        table = text_encoder.token_embedding
        # Some towers of Hugging Face scale what they look up.
        self.tokens = nn.Parameter(table(ids.to(table.weight.device)).detach().clone())
        with torch.no_grad():  # fails now, not in the first step, if a prompt is too long
            text_encoder.encode_prompts(self.tokens[:1], self.templates)

    def forward(self, text_encoder: OpenCLIPTextEncoder) -> Tensor:
        """Computes embeddings ``f_C`` of the prompts, ``(K, D)`` float32, not normalized."""
        return text_encoder.encode_prompts(self.tokens, self.templates)


def initial_word_ids(vocab_size: int, num_clusters: int, length: int, seed: int) -> Tensor:
    """Draws initial token ids ``(K, L)`` int64; the last 10 tokens are left out."""
    return initial_positions(vocab_size - 10, num_clusters, length, seed)


def initial_positions(count: int, num_clusters: int, length: int, seed: int) -> Tensor:
    """Draws random integers ``(K, L)`` int64 below ``count``."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(count, (num_clusters, length), generator=generator)
