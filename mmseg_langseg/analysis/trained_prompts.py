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


def load_clustering_model(
    config: str,
    checkpoint: str | None,
    cfg_options: dict[str, Any] | None = None,
    trust_checkpoint: bool = False,
) -> tuple[Config, nn.Module]:
    """Build a PixelCLIP with its class prompts, in evaluation mode on the CPU.

    Args:
        config: Training config.
        checkpoint: Weights; None: the untrained model with the initial prompts.
        cfg_options: Dotted keys and values that override the config.
        trust_checkpoint: Unpickle the checkpoint without restrictions.

    Raises:
        FileNotFoundError: The config or the checkpoint does not exist.
        ValueError: The model has no class prompts, or the checkpoint is damaged or does not fit.
    """
    if checkpoint is not None:
        check_checkpoint(checkpoint)
    cfg = load_config(config, cfg_options=cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    head = (cfg.get('model') or {}).get('decode_head') or {}
    if not isinstance(head, dict) or not head.get('prompts'):
        raise ValueError(
            f'The model of {cfg.filename} has no class prompts; expected a PixelCLIP with '
            'model.decode_head.prompts, e.g. configs/pixelclip/vit-b16_coco.py.'
        )
    with trusted_checkpoint(checkpoint if trust_checkpoint else None):
        return cfg, build_model(cfg, checkpoint).eval()


@torch.no_grad()
def embed_prompts(head: nn.Module) -> np.ndarray:
    """Compute the embeddings ``(K, D)`` float32 of the class prompts of a head, unit rows."""
    return F.normalize(head.prompts(head.text_encoder).float(), dim=1).cpu().numpy()


def embed_words(cfg: Config, head: nn.Module, vocabulary: str | None) -> WordEmbeddings:
    """Embed the words of a vocabulary in the sentence of the class prompts.

    The words then differ from the prompts in nothing but the words. Centers without a sentence
    (``FreeCentroids``) are compared with the words in the templates of the head.

    Args:
        cfg: Config of the model.
        head: Head of the model, with class prompts.
        vocabulary: Names, a JSON file, or an NPZ file, see :meth:`WordEmbeddings.from_npz`. None:
            the vocabulary of the config, or the class names of its test data.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The vocabulary is not valid, or neither the config nor its test data have one.
    """
    if vocabulary is not None and vocabulary.lower().endswith('.npz'):
        return WordEmbeddings.from_npz(vocabulary)
    words = _default_vocabulary(cfg, head) if vocabulary is None else Vocabulary.parse(vocabulary)
    templates = getattr(head.prompts, 'templates', head.templates)
    return WordEmbeddings.of_vocabulary(words, head.text_encoder, templates)


def _default_vocabulary(cfg: Config, head: nn.Module) -> Vocabulary:
    if head.vocabulary is not None:
        return head.vocabulary
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    classes = None if dataset is None else dataset_classes(dataset)
    if classes is None:
        raise ValueError(
            f'{cfg.filename} has no vocabulary and no test data with class names: give '
            '--vocabulary, e.g. "cat; dog, puppy; grass" or coco_stuff171.json.'
        )
    return Vocabulary.from_names(classes)
