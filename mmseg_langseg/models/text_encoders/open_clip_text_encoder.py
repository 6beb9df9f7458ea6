"""Text encoder: text embeddings of class names, sentences and learnable prompts."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..clip_loader import load_clip, weights_fingerprint
from .embedding_cache import EmbeddingCache
from .shared_prefix import can_share_prefix, encode_shared
from .templates import get_templates
from .text_tower import cut_unread, encode_ids, output_width, token_table
from .tokenizers import load_tokenizer, sentence_layout, word_ids
from .vocabulary import Vocabulary
from .word_warnings import warn_of_cut_words, warn_of_unknown_words


@MODELS.register_module()
class OpenCLIPTextEncoder(nn.Module):
    """Text tower of an open_clip model: frozen, always in eval mode, always in float32.

    Any of its text towers: CLIP's, those of SigLIP, EVA, PE, MobileCLIP and CoCa, and models of
    Hugging Face. Gradients flow through it to learnable prompts. Public weights are not saved in
    checkpoints; random weights (``pretrained=None``) are, as they could not be rebuilt.

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
        logit_scale: The model's learned inverse temperature, after ``exp``.
        logit_bias: The bias of models trained with a sigmoid (SigLIP), None for others. It is the
            same for all classes, so that neither labels nor softmax probabilities depend on it.
        trained_token_ids: Ids of the tokens that a small, bundled CLIP was trained on; None if
            it was trained on all.
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
        self.arch, self.pretrained, self.batch_size = arch, pretrained, batch_size
        self.cache = None if cache_dir is None else EmbeddingCache(cache_dir)
        self.text = clip.text
        self.tokenizer = load_tokenizer(arch)
        self.context_length = self.tokenizer.context_length
        self.vocab_size = self.token_embedding.num_embeddings
        self.token_width = self.token_embedding.embedding_dim
        self.embed_dim = output_width(clip.text)
        self.logit_scale = math.exp(clip.logit_scale.item())
        self.logit_bias = None if clip.logit_bias is None else clip.logit_bias.item()
        ids = clip.trained_token_ids
        self.trained_token_ids = None if ids is None else frozenset(ids.tolist())
        self._layouts: dict[tuple[str, int], tuple[Tensor, int]] = {}
        self.requires_grad_(False)
        self.eval()
        self._register_state_dict_hook(_drop_public_weights)

    @property
    def token_embedding(self) -> nn.Embedding:
        """Table of token embeddings."""
        return token_table(self.text)

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
        order = (tokens != tokens[:, -1:]).sum(1).argsort(stable=True)
        rows = [encode_ids(self.text, batch) for batch in tokens[order].split(self.batch_size)]
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
            'tokens': self._token_digest([*words, *(t.replace('{}', 'x') for t in templates)]),
            'templates': templates,
            'words': vocabulary.rows,
            'dtype': 'float32',
        }
        shape = (len(vocabulary.rows), self.embed_dim)
        rows = self.cache.get(key, shape)
        if rows is None:
            rows = self._encode_rows(vocabulary.rows, templates)
            self.cache.put(key, rows)
        return rows.to(self.token_embedding.weight.device)

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
        length = prompts.shape[1]
        if (template, length) not in self._layouts:
            self._layouts[template, length] = sentence_layout(
                self.tokenizer, template, length, self.context_length
            )
        ids, start = self._layouts[template, length]
        if start > 0 and can_share_prefix(self.text):
            return encode_shared(
                self.text, cut_unread(ids[None], self.text)[0], start, prompts.float()
            )
        with self._prompts_at(start, prompts.float()):
            return encode_ids(self.text, ids.expand(len(prompts), -1))

    @contextlib.contextmanager
    def _prompts_at(self, start: int, prompts: Tensor) -> Iterator[None]:
        """Puts prompts in the place of token embeddings, in any kind of text tower."""

        def replace(module: nn.Module, inputs: tuple, tokens: Tensor) -> Tensor:
            parts = tokens[:, :start], prompts.to(tokens), tokens[:, start + prompts.shape[1] :]
            return torch.cat(parts, 1)

        handle = self.token_embedding.register_forward_hook(replace)
        try:
            yield
        finally:
            handle.remove()

    def _word_ids(self, text: str) -> list[int]:
        return word_ids(self.tokenizer, text)

    def _token_digest(self, texts: Sequence[str]) -> str:
        """Returns a hash of what the tokenizer makes of texts."""
        ids = self.tokenizer(list(texts), context_length=self.context_length)
        return hashlib.sha256(ids.numpy().tobytes()).hexdigest()[:16]

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
