"""Inferencer for open-vocabulary segmentation: from an image and class names to a label map."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmseg.registry import MODELS
from PIL import Image
from torch import nn

from mmseg_langseg.engine.checkpoint_fit import check_checkpoint_fit
from mmseg_langseg.fileio import trusted_checkpoint
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import (
    check_language_head,
    set_model_vocabulary,
)

from .device import check_device
from .images import to_rgb
from .launch import check_checkpoint, load_config
from .stored_weights import skip_public_weights


@dataclass(frozen=True)
class SegmentationResult:
    """Segmentation result of one image.

    Attributes:
        image: ``(H, W, 3)`` uint8, RGB: the image as read.
        labels: ``(H, W)`` int64 index into ``classes``.
        classes: Class names in the given order.
    """

    image: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


class LangSegInferencer:
    """Segment images by class names, with the test preprocessing of the config.

    Args:
        config: Config file or config of any segmentor with a ``LanguageHead``. Without
            ``test_dataloader`` and ``test_pipeline``, images keep their size and pass only the
            model's data preprocessor.
        weights: Checkpoint; None uses the untrained model, i.e. zero-shot CLIP.
        device: torch device; by default the accelerator that MMEngine finds, or the CPU.
        cfg_options: Dotted keys and values that override the config, e.g.
            ``{'model.clip.pretrained': 'ViT-B-16.pt'}``.
        trust_checkpoint: Unpickle the checkpoint without restrictions, which can execute
            arbitrary code; only for files that you created yourself.

    Raises:
        FileNotFoundError: If the config or the weights do not exist.
        ValueError: If there is no such device, the model has no head that takes class names, or the
            weights are damaged, hold code, or belong to another model.
    """

    def __init__(
        self,
        config: str | Path | Config,
        weights: str | None = None,
        device: str | None = None,
        cfg_options: dict[str, Any] | None = None,
        trust_checkpoint: bool = False,
    ) -> None:
        device = get_device() if device is None else check_device(device)
        if weights is not None:
            check_checkpoint(weights)
        cfg = load_config(config, cfg_options=cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        with trusted_checkpoint(weights if trust_checkpoint else None):
            self.model = _build(cfg, weights)
        check_language_head(self.model, type(self).__name__)
        self.model.to(device).eval()
        self._pipeline = Compose([dict(type='LoadImageFromNDArray'), *_test_steps(cfg)])
        self._vocabulary: Vocabulary | None = None

    @torch.no_grad()
    def __call__(
        self,
        image: str | os.PathLike | np.ndarray | Image.Image,
        texts: str | os.PathLike | Sequence[str] | Vocabulary,
    ) -> SegmentationResult:
        """Segment one image.

        Args:
            image: Image file, PIL image, or uint8 array, see :func:`~mmseg_langseg.apis.to_rgb`.
            texts: Classes as ``'cat; dog, puppy; grass'`` (synonyms after commas), a list with one
                such entry per class, the path of a ``.json`` vocabulary, or a vocabulary.

        Returns:
            The result, with a label map of the same height and width as the image.

        Raises:
            FileNotFoundError: If the image or vocabulary file does not exist.
            TypeError: If the type of the image or of the texts is not listed here.
            ValueError: If the image has no pixels, an unknown value range, or cannot be decoded, or
                the class names are not valid.
        """
        vocabulary = parse_texts(texts)
        rgb = to_rgb(image)
        if vocabulary != self._vocabulary:
            set_model_vocabulary(self.model, vocabulary, type(self).__name__)
            self._vocabulary = vocabulary
        sample = self.model.test_step(pseudo_collate([self._prepare(rgb)]))[0]
        labels = sample.pred_sem_seg.data[0].cpu().numpy()
        return SegmentationResult(rgb, labels, tuple(vocabulary.names))

    def _prepare(self, rgb: np.ndarray) -> dict:
        try:
            # The pipeline expects BGR, as loaded by MMSegmentation.
            return self._pipeline(dict(img=np.ascontiguousarray(rgb[..., ::-1])))
        except (cv2.error, ValueError) as error:
            height, width = rgb.shape[:2]
            raise ValueError(
                f"An image of {width}x{height} pixels fails in the config's test pipeline "
                f'({error}); use an image that is less narrow.'
            ) from error


def _build(cfg: Config, weights: str | None) -> nn.Module:
    if weights is None:
        return MODELS.build(cfg.model)
    checkpoint = CheckpointLoader.load_checkpoint(weights, map_location='cpu')
    if isinstance(checkpoint, Mapping):
        skip_public_weights(cfg.model, checkpoint.get('state_dict', checkpoint))
    model = MODELS.build(cfg.model)
    check_checkpoint_fit(model, checkpoint, weights, trained=True)
    _load_checkpoint_to_model(model, checkpoint)
    return model


def parse_texts(texts: str | os.PathLike | Sequence[str] | Vocabulary) -> Vocabulary:
    """Parse class names in any accepted form, see :meth:`Vocabulary.parse`.

    Raises:
        TypeError: If the type is none that ``Vocabulary.parse`` reads.
    """
    if not isinstance(texts, (str, os.PathLike, list, tuple, Vocabulary)):
        raise TypeError(
            f"texts is of type {type(texts).__name__}; expected 'cat; dog, puppy; grass', a list "
            'with one entry per class, the path of a .json vocabulary, or a Vocabulary.'
        )
    return Vocabulary.parse(texts)


def _test_steps(cfg: Config) -> list[dict]:
    """Return the steps of the config's test pipeline without those that load files."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    pipeline = dataset.get('pipeline') or cfg.get('test_pipeline') or [dict(type='PackSegInputs')]
    return [step for step in pipeline if not _name(step['type']).startswith('Load')]


def _name(kind: str | type) -> str:
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__
