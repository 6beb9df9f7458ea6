"""The class prompts of a trained PixelCLIP, and the words to compare them with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmseg_langseg.apis.launch import check_checkpoint, load_config
from mmseg_langseg.apis.stored_weights import build_model
from mmseg_langseg.apis.words import dataset_classes
from mmseg_langseg.fileio import trusted_checkpoint
from mmseg_langseg.models.text_encoders import Vocabulary

from .word_embeddings import WordEmbeddings


def load_prompt_config(
    config: str, checkpoint: str | None = None, cfg_options: dict[str, Any] | None = None
) -> Config:
    """Read the config of a PixelCLIP with class prompts.

    Args:
        config: Training config.
        checkpoint: Weights, of which only the existence is checked.
        cfg_options: Dotted keys and values that override the config.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        ValueError: The config cannot be read, or its model has no class prompts.
    """
    if checkpoint is not None:
        check_checkpoint(checkpoint)
    cfg = load_config(config, cfg_options=cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    head = (cfg.get('model') or {}).get('decode_head')
    if not isinstance(head, dict) or not head.get('prompts'):
        raise ValueError(
            f'The model of {cfg.filename} has no class prompts; expected a PixelCLIP with '
            'model.decode_head.prompts, e.g. configs/pixelclip/vit-b16_coco.py.'
        )
    return cfg


def load_prompt_model(
    cfg: Config, checkpoint: str | None, trust_checkpoint: bool = False
) -> nn.Module:
    """Build the model of a config, in evaluation mode on the CPU.

    Args:
        cfg: See :func:`load_prompt_config`.
        checkpoint: Weights; None: the untrained model with the initial prompts.
        trust_checkpoint: Unpickle the checkpoint without restrictions.

    Raises:
        ValueError: The checkpoint is damaged, holds code, or belongs to another model.
    """
    with trusted_checkpoint(checkpoint if trust_checkpoint else None):
        return build_model(cfg, checkpoint).eval()


@torch.no_grad()
def embed_prompts(head: nn.Module) -> np.ndarray:
    """Compute the embeddings ``(K, D)`` float32 of the class prompts of a head, unit rows."""
    return F.normalize(head.prompts(head.text_encoder).float(), dim=1).cpu().numpy()


def find_words(cfg: Config, vocabulary: str | None) -> Vocabulary | WordEmbeddings:
    """Read the words to compare class prompts with, without building the model.

    Args:
        cfg: See :func:`load_prompt_config`.
        vocabulary: Names, a JSON file, or an NPZ file, see :meth:`WordEmbeddings.from_npz`. None:
            the vocabulary of the config, or the class names of its test data.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The vocabulary is not valid, or neither the config nor its test data have one.
    """
    if is_embedding_file(vocabulary):
        return WordEmbeddings.from_npz(vocabulary)
    vocabulary = vocabulary or cfg.model.decode_head.get('vocabulary')
    if vocabulary is not None:
        return Vocabulary.parse(vocabulary)
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    if dataset is None:
        raise ValueError(
            f'{cfg.filename} has no vocabulary and no test data with class names: give '
            '--vocabulary, e.g. "cat; dog, puppy; grass" or coco_stuff171.json.'
        )
    return Vocabulary.from_names(dataset_classes(dataset))


def is_embedding_file(vocabulary: str | None) -> bool:
    """Whether a vocabulary is the path of an NPZ file."""
    return vocabulary is not None and vocabulary.lower().endswith('.npz')


def embed_words(head: nn.Module, words: Vocabulary | WordEmbeddings) -> WordEmbeddings:
    """Embed words in the sentence of the class prompts, so that only the words differ.

    Centers without a sentence (``FreeCentroids``) are compared with words in the templates of the
    head.

    Args:
        head: Head of the model, with class prompts.
        words: See :func:`find_words`; embeddings are returned unchanged.
    """
    if isinstance(words, WordEmbeddings):
        return words
    templates = getattr(head.prompts, 'templates', head.templates)
    return WordEmbeddings.of_vocabulary(words, head.text_encoder, templates)
