"""Train a whole tiny CLIP, with the token embeddings that occur in its captions only."""

from __future__ import annotations

import mmseg_langseg.synthetic.tiny_resnet  # noqa: F401  (registers the trunk in timm)
from mmseg_langseg.synthetic.renderer import CLASSES

import numpy as np
import open_clip
import torch
from evaluate_clip import TEMPLATES, encode_words
from torch import Tensor, nn

TOKEN_STD = 0.02


class CompactVocabulary:
    """Tokens of a set of texts, renumbered in order so that the end token stays the largest."""

    def __init__(self, texts: list[str]) -> None:
        self._tokenize = open_clip.SimpleTokenizer()
        tokens = self._tokenize(sorted(set(texts)))
        self.ids = torch.unique(tokens)
        self.length = int((tokens != 0).sum(dim=1).max())

    def __call__(self, texts: list[str]) -> Tensor:
        """Return token positions (N, length) in the compact vocabulary."""
        tokens = self._tokenize(texts)[:, : self.length]
        positions = torch.searchsorted(self.ids, tokens)
        known = self.ids[positions.clamp_max(len(self.ids) - 1)] == tokens
        if not known.all():
            raise ValueError(f'a word of {texts[int((~known).any(1).nonzero()[0])]!r} is unknown')
        return positions


class CompactTraining:
    """Trains both towers of a CLIP from scratch, with CLIP's contrastive loss.

    Args:
        tower: A timm model.
        captions: Caption of each training image.
        seed: Seed of the initial weights.
    """

    def __init__(self, tower: str, captions: list[str], seed: int) -> None:
        prompts = [t.format(name) for t in TEMPLATES['ensemble'] for name in CLASSES]
        self.vocabulary = CompactVocabulary(captions + prompts)
        self.arch, self.seed = clip_arch(tower), seed
        self.whole, self.model = build(self.arch, seed, self.vocabulary)
        self.model.to(memory_format=torch.channels_last)
        self.tokens = self.vocabulary(captions)
        self.num_words = len(self.vocabulary.ids)

    def loss(self, images: Tensor, batch: np.ndarray) -> Tensor:
        """Compute the loss of images (B, 3, H, W) with the indices ``batch`` (B,)."""
        return contrastive_loss(self.model, images, self.tokens[batch])

    def words(self, templates: tuple) -> Tensor:
        """Return unit text embeddings (K, D) of the classes."""
        return encode_words(self.model, self.vocabulary, templates)

    def finish(self) -> dict:
        """Return the content of the file; the model is then the stored one, which is rounded."""
        file = compact_file(self.whole, self.model, self.arch, self.seed, self.vocabulary.ids)
        round_trip(file, self.model, self.vocabulary.length)
        return file


def clip_arch(tower: str) -> dict:
    """Return the arguments of ``open_clip.CLIP``."""
    return dict(
        embed_dim=64,
        vision_cfg=dict(timm_model_name=tower, timm_pool='', timm_proj='linear', image_size=64),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=4, layers=2),
        quick_gelu=False,
    )


def build(arch: dict, seed: int, vocabulary: CompactVocabulary) -> tuple[nn.Module, nn.Module]:
    """Build the whole model and the smaller one that is trained, with the same weights."""
    torch.manual_seed(seed)
    whole = open_clip.CLIP(**arch)
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(whole.token_embedding.weight.shape, generator=generator) * TOKEN_STD
    whole.token_embedding.weight.data.copy_(table)
    text_cfg = arch['text_cfg'] | dict(
        vocab_size=len(vocabulary.ids), context_length=vocabulary.length
    )
    small = open_clip.CLIP(**(arch | dict(text_cfg=text_cfg)))
    weights = whole.state_dict()
    weights['token_embedding.weight'] = table[vocabulary.ids]
    weights['positional_embedding'] = weights['positional_embedding'][: vocabulary.length]
    small.load_state_dict(weights)
    return whole, small


def compact_file(whole: nn.Module, small: nn.Module, arch: dict, seed: int, ids: Tensor) -> dict:
    """Collect the stored tensors: matrices as float16, vectors and statistics unchanged."""

    def stored(tensor: Tensor) -> Tensor:
        return tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor.clone()

    weights = small.state_dict()
    rows = weights.pop('token_embedding.weight')
    positions = whole.positional_embedding.detach().clone()
    positions[: len(weights['positional_embedding'])] = weights['positional_embedding']
    weights['positional_embedding'] = positions
    return dict(
        arch=arch,
        state_dict={name: stored(value) for name, value in weights.items()},
        token_embedding=dict(ids=ids, rows=stored(rows), seed=seed, std=TOKEN_STD),
    )


def round_trip(file: dict, small: nn.Module, length: int) -> None:
    """Load the rounded weights back, so that the evaluated model is the stored one."""
    weights = {name: value.float() for name, value in file['state_dict'].items()}
    weights['token_embedding.weight'] = file['token_embedding']['rows'].float()
    weights['positional_embedding'] = weights['positional_embedding'][:length]
    small.load_state_dict(weights)


def contrastive_loss(model: nn.Module, images: Tensor, tokens: Tensor) -> Tensor:
    """Compute CLIP's symmetric loss; equal captions in a batch are positives of one another."""
    image = model.encode_image(images, normalize=True)
    text = model.encode_text(tokens, normalize=True)
    logits = model.logit_scale.exp() * image @ text.T
    same = (tokens[:, None] == tokens[None]).all(dim=-1).float()
    target = same / same.sum(dim=1, keepdim=True)
    loss = nn.functional.cross_entropy
    return (loss(logits, target) + loss(logits.T, target)) / 2
