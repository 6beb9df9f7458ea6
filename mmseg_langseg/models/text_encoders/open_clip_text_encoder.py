"""CLIP text encoder: text embeddings of class names, sentences and learnable prompts."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence

import open_clip
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..clip_loader import load_clip, weights_fingerprint
from .embedding_cache import EmbeddingCache
from .templates import get_templates
from .vocabulary import Vocabulary
from .word_warnings import warn_of_cut_words, warn_of_unknown_words

BPE_SIZE = 49408


@functools.cache
def _tokenizer() -> open_clip.SimpleTokenizer:
    # Reading its BPE merges takes longer than building a small model.
    return open_clip.SimpleTokenizer()


@MODELS.register_module()
class OpenCLIPTextEncoder(nn.Module):
    """Text tower of an ``open_clip.CLIP``: frozen, always in eval mode, always in float32.

    Gradients flow through it to learnable prompts. Public weights are not saved in checkpoints;
    random weights (``pretrained=None``) are, as they could not be rebuilt.

    Args:
        arch: See :func:`~mmseg_langseg.models.load_clip`.
        pretrained: See there.
        cache_dir: Folder that caches the embeddings of vocabularies between runs. None recomputes
            them in every run.
        batch_size: Sentences per batch.

    Attributes:
        embed_dim: D, width of the joint space.
        token_width: d_e, width of a token embedding.
        vocab_size: Number of tokens.
        context_length: Maximum number of tokens per sentence.
        logit_scale: CLIP's learned inverse temperature, after ``exp``.
        trained_token_ids: Ids of the tokens that a small, bundled CLIP was trained on; None if
            it was trained on all.

    Raises:
        ValueError: If the model does not read CLIP's own 49408 BPE tokens with causal attention.
    """

    def __init__(
        self,
        arch: str | dict,
        pretrained: str | None = None,
        cache_dir: str | os.PathLike | None = None,
        batch_size: int = 256,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f'batch_size={batch_size}: expected at least 1.')
        clip = load_clip(arch, pretrained)
        _check_text_tower(clip, arch)
        self.arch, self.pretrained, self.batch_size = arch, pretrained, batch_size
        self.cache = None if cache_dir is None else EmbeddingCache(cache_dir)
        self.transformer = clip.transformer
        self.token_embedding = clip.token_embedding
        self.positional_embedding = clip.positional_embedding
        self.ln_final = clip.ln_final
        self.text_projection = clip.text_projection
        self.register_buffer('attn_mask', clip.attn_mask, persistent=False)
        self.vocab_size, self.token_width = clip.token_embedding.weight.shape
        self.context_length = len(clip.positional_embedding)
        self.embed_dim = _projected_width(clip.text_projection, self.token_width)
        self.logit_scale = math.exp(clip.logit_scale.item())
        self.tokenizer = _tokenizer()
        ids = clip.trained_token_ids
        self.trained_token_ids = None if ids is None else frozenset(ids.tolist())
        self.requires_grad_(False)
        self.eval()
        self._register_state_dict_hook(_drop_public_weights)

    def train(self, mode: bool = True) -> OpenCLIPTextEncoder:
        """Stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Computes text embeddings of sentences.

        Returns:
            ``(N, D)`` float32, unit rows. Sentences longer than the context are truncated.
        """
        tokens = self.tokenizer(list(texts), context_length=self.context_length)
        # A batch is as long as its longest sentence.
        order = tokens.argmax(1).argsort(stable=True)
        rows = [self._encode_tokens(batch) for batch in tokens[order].split(self.batch_size)]
        return F.normalize(torch.cat(rows)[order.argsort()], dim=-1)

    @torch.no_grad()
    def encode_vocabulary(
        self, vocabulary: Vocabulary, templates: str | Sequence[str] = 'imagenet_select'
    ) -> Tensor:
        """Computes text embeddings of the class names of a vocabulary.

        Synonyms are averaged within each template, then templates within each row; each mean is of
        unit vectors and is normalized (official PixelCLIP). Names too long for the context are
        truncated and a bundled CLIP knows few words; a warning lists the names in both cases.

        Returns:
            ``(R, D)`` float32, unit rows in the order of ``vocabulary.rows``. R is the number of
            classes if there are no background words; ``vocabulary.row_classes`` gives the classes.
        """
        templates = get_templates(templates)
        words = [word for row in vocabulary.rows for word in row]
        warn_of_cut_words(words, templates, self.tokenizer, self.context_length)
        if self.trained_token_ids is not None:
            warn_of_unknown_words(words, self._word_ids, self.trained_token_ids, self.pretrained)
        if self.cache is None:
            return self._encode_rows(vocabulary.rows, templates)
        key = {
            'weights': weights_fingerprint(self),
            # the weights do not show the number of heads and the activation
            'arch': self.arch,
            'templates': templates,
            'words': vocabulary.rows,
            'dtype': 'float32',
        }
        shape = (len(vocabulary.rows), self.embed_dim)
        rows = self.cache.get(key, shape)
        if rows is None:
            rows = self._encode_rows(vocabulary.rows, templates)
            self.cache.put(key, rows)
        return rows.to(self.positional_embedding.device)

    def encode_prompts(self, prompts: Tensor, templates: str | Sequence[str] = 'single') -> Tensor:
        """Computes text embeddings of learnable prompts (PixelCLIP Sec. 3.3: ``f_C = E_L(P*, C)``).

        Args:
            prompts: ``(K, L, d_e)`` in token-embedding space; they replace ``{}``.
            templates: For several, the (not normalized) outputs are averaged, each template with
                its own words. The official ensemble mixes the words of one template with the
                positions of another (a bug of the release), so its numbers differ.

        Returns:
            ``(K, D)`` float32, not normalized, differentiable with respect to ``prompts``.

        Raises:
            ValueError: If ``prompts`` has another width, or a sentence exceeds the context.
        """
        if prompts.ndim != 3 or prompts.shape[-1] != self.token_width:
            raise ValueError(
                f'prompts has shape {tuple(prompts.shape)}, expected (K, L, {self.token_width}).'
            )
        outputs = [self._encode_in(prompts, template) for template in get_templates(templates)]
        return torch.stack(outputs).mean(0)

    def word_ids(self, words: Sequence[str]) -> Tensor:
        """Returns the sorted, unique token ids ``(n,)`` int64 of words.

        Raises:
            ValueError: If there is no word, or a string is given instead of a list.
        """
        if isinstance(words, str) or not words:
            raise ValueError(f'words={words!r}: expected a list of at least one word.')
        return torch.tensor(sorted({token for word in words for token in self._word_ids(word)}))

    def _encode_rows(self, rows: Sequence[Sequence[str]], templates: Sequence[str]) -> Tensor:
        texts = [t.replace('{}', word) for words in rows for t in templates for word in words]
        embeddings = self.encode_texts(texts)
        counts = torch.tensor([len(words) for words in rows], device=embeddings.device)
        counts = counts.repeat_interleave(len(templates))
        group = torch.arange(len(counts), device=embeddings.device).repeat_interleave(counts)
        sums = embeddings.new_zeros(len(counts), self.embed_dim)
        means = sums.index_add_(0, group, embeddings) / counts[:, None]
        means = F.normalize(means, dim=-1).unflatten(0, (len(rows), len(templates)))
        return F.normalize(means.mean(1), dim=-1)

    def _encode_in(self, prompts: Tensor, template: str) -> Tensor:
        before, after = (self._word_ids(part) for part in template.split('{}'))
        length = len(before) + prompts.shape[1] + len(after) + 2
        if length > self.context_length:
            raise ValueError(
                f'{template!r} with prompts of {prompts.shape[1]} tokens needs {length} tokens, '
                f'but the text tower takes {self.context_length}: use shorter prompts.'
            )
        head = self._embed([self.tokenizer.sot_token_id, *before])
        tail = self._embed([*after, self.tokenizer.eot_token_id])
        count = len(prompts)
        sequence = (head.expand(count, -1, -1), prompts.float(), tail.expand(count, -1, -1))
        ends = torch.full((count,), length - 1, device=prompts.device)
        return self._transform(torch.cat(sequence, 1), ends)

    def _word_ids(self, text: str) -> list[int]:
        row = self.tokenizer([text], context_length=4 * len(text) + 2)[0].tolist()
        return row[1 : row.index(self.tokenizer.eot_token_id)]

    def _embed(self, ids: list[int]) -> Tensor:
        device = self.token_embedding.weight.device
        return self.token_embedding(torch.tensor(ids, device=device))[None]

    def _encode_tokens(self, tokens: Tensor) -> Tensor:
        tokens = tokens.to(self.token_embedding.weight.device)
        ends = tokens.argmax(1)  # the end token has the largest id
        return self._transform(self.token_embedding(tokens[:, : int(ends.max()) + 1]), ends)

    def _transform(self, x: Tensor, ends: Tensor) -> Tensor:
        """Encodes token embeddings ``(N, L, d_e)``; the output is that at position ``ends`` (N,).

        Attention is causal, so positions after the end need not be computed.
        """
        length = x.shape[1]
        with torch.autocast(x.device.type, enabled=False):
            x = x + self.positional_embedding[:length]
            mask = self.attn_mask[:length, :length]
            if hasattr(self.transformer, 'batch_first'):
                x = self.transformer(x, attn_mask=mask)
            else:  # open_clip up to 2.24
                x = self.transformer(x.transpose(0, 1), attn_mask=mask).transpose(0, 1)
            x = self.ln_final(x[torch.arange(len(x), device=x.device), ends])
            if isinstance(self.text_projection, nn.Linear):
                return self.text_projection(x)
            return x if self.text_projection is None else x @ self.text_projection

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        if self.pretrained is not None:
            for name, value in self.named_parameters():
                state_dict.setdefault(prefix + name, value)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _drop_public_weights(
    module: OpenCLIPTextEncoder, state_dict: dict[str, Tensor], prefix: str, local_metadata: dict
) -> None:
    """State-dict hook: removes public weights."""
    if module.pretrained is not None:
        for key in [key for key in state_dict if key.startswith(prefix)]:
            del state_dict[key]


def _check_text_tower(clip: nn.Module, arch) -> None:
    pool = getattr(clip, 'text_pool_type', 'argmax')
    if clip.vocab_size != BPE_SIZE or clip.attn_mask is None or pool != 'argmax':
        raise ValueError(
            f'The text tower of {arch!r} is not supported: it has '
            f'{clip.vocab_size} tokens, pooling {pool!r} and '
            f'{"no " if clip.attn_mask is None else "a "}causal mask; expected {BPE_SIZE}, '
            "'argmax' and a causal mask, as in CLIP."
        )


def _projected_width(projection: nn.Linear | Tensor | None, width: int) -> int:
    if isinstance(projection, nn.Linear):
        return projection.out_features
    return width if projection is None else projection.shape[1]
