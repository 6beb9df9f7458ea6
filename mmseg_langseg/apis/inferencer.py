"""Inferencer for open-vocabulary segmentation: from an image and class names to a label map."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from torch import nn

from mmseg_langseg.engine.checkpoint_fit import check_checkpoint_fit
from mmseg_langseg.export import SegmentationResult
from mmseg_langseg.fileio import LangSegWarning, raise_machine_fault, trusted_checkpoint
from mmseg_langseg.masks import check_integer
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import (
    check_language_head,
    set_model_vocabulary,
)

from .device import check_device
from .image_inputs import ImageInput, Inputs, image_inputs, is_single_image
from .launch import check_checkpoint, load_config
from .model_zoo import model_config
from .pixel_prediction import predict_pixels
from .rejection import Rejection, add_contrast
from .stored_weights import skip_public_weights

Texts = str | os.PathLike | Sequence[str] | Vocabulary | Sequence[Vocabulary]


class LangSegInferencer:
    """Segment images by class names, with the test preprocessing of the config.

    Args:
        config: Short name (see ``list_models``), config file, or config of any segmentor with a
            ``LanguageHead``. Without ``test_dataloader`` and ``test_pipeline``, images keep their
            size and pass only the model's data preprocessor.
        weights: Checkpoint; None uses the untrained model, i.e. zero-shot CLIP.
        device: torch device; by default the accelerator that MMEngine finds, or the CPU.
        cfg_options: Dotted keys and values that override the config, e.g.
            ``{'model.clip.pretrained': 'ViT-B-16.pt'}``.
        trust_checkpoint: Unpickle the checkpoint without restrictions, which can execute
            arbitrary code; only for files that you created yourself.

    Attributes:
        model: The segmentor.
        settings: Hash of the model config and path of the weights, which results depend on.

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
        if isinstance(config, str):
            config = model_config(config, weights)
        cfg = load_config(config, cfg_options=cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        with trusted_checkpoint(weights if trust_checkpoint else None):
            self.model = _build(cfg, weights)
        check_language_head(self.model, type(self).__name__)
        _warn_of_small_clip(self.model.decode_head.text_encoder)
        self.model.to(device).eval()
        self._pipeline = Compose([dict(type='LoadImageFromNDArray'), *_test_steps(cfg)])
        self._vocabulary: Vocabulary | None = None
        model = hashlib.sha256(repr((cfg.model, _test_steps(cfg))).encode()).hexdigest()
        self.settings = dict(model=model, weights=weights and os.path.abspath(weights))

    def __call__(
        self,
        inputs: Inputs,
        texts: Texts,
        batch_size: int = 1,
        **options: Any,
    ) -> SegmentationResult | list[SegmentationResult]:
        """Segment one image or several.

        Args:
            inputs: Image file, PIL image or uint8 array (see :func:`~mmseg_langseg.apis.to_rgb`);
                or a folder, tar, ``.txt`` list, video, or list of these.
            texts: Classes as ``'cat; dog, puppy; grass'`` (synonyms after commas), a list with one
                such entry per class, the path of a ``.json`` vocabulary, or a vocabulary. A list of
                vocabularies has one per image.
            batch_size: Images per forward pass.
            **options: See :meth:`stream`.

        Returns:
            The result of a single image, else a list of results. For many images, :meth:`stream`
            needs constant memory.

        Raises:
            FileNotFoundError: If the input or vocabulary does not exist.
            TypeError: If the type of an input or of the texts is not listed here.
            ValueError: If an image has no pixels, an unknown value range, or cannot be decoded, the
                class names are not valid, or an option is out of range.
        """
        results = self.stream(inputs, texts, batch_size, **options)
        return next(results) if is_single_image(inputs) else list(results)

    @torch.no_grad()
    def stream(
        self,
        inputs: Inputs,
        texts: Texts,
        batch_size: int = 1,
        threshold: float | None = None,
        min_margin: float | None = None,
        contrast: Sequence[str] | None = None,
        probabilities: bool = False,
        on_bad_image: Callable[[str, Exception], None] | None = None,
    ) -> Iterator[SegmentationResult]:
        """Segment images one after another, in constant memory.

        Images of different sizes share a batch if the config resizes them to one size; otherwise
        only consecutive images of equal size do.

        Args:
            inputs: See :meth:`__call__`.
            texts: See :meth:`__call__`. A single class competes with ``contrast`` words.
            batch_size: Images per forward pass.
            threshold: Reject pixels whose best class has a lower probability, in [0, 1]: softmax
                over the classes at CLIP's own logit scale. Rejected pixels get the class
                ``'other'``, which is appended.
            min_margin: Reject pixels whose two best classes have probabilities that differ by less.
            contrast: Words that compete with a single class, instead of the bundled
                ``contrast.json``; pixels where they win get the class ``'other'``.
            probabilities: Keep the probabilities of all classes in the results.
            on_bad_image: Called with name and error of an image that cannot be read, which is then
                skipped; None raises the error.

        Yields:
            Results in the order of the inputs.

        Raises:
            ValueError: See :meth:`__call__`.
        """
        rejection = Rejection(threshold, min_margin)
        check_integer('batch_size', batch_size, 1)
        batch: list[tuple[ImageInput, np.ndarray, dict]] = []
        current = vocabulary = None
        classes: tuple[str, ...] = ()
        scale = self.model.decode_head.text_encoder.logit_scale
        for image, given in _with_vocabulary(image_inputs(inputs), texts):
            try:
                rgb = image.load()
                sample = self._prepare(rgb)
            except (OSError, TypeError, ValueError) as error:
                raise_machine_fault(error)
                if on_bad_image is None:
                    raise
                on_bad_image(image.name, error)
                continue
            if batch and not (given == current and self._fits(batch, sample)):
                yield from self._segment(batch, vocabulary, classes, rejection, probabilities)
                batch = []
            if given != current:
                current, classes = given, rejection.classes(given)
                vocabulary = add_contrast(given, contrast)
                rejection.check_reachable(vocabulary.num_classes, scale)
            batch.append((image, rgb, sample))
            if len(batch) == batch_size:
                yield from self._segment(batch, vocabulary, classes, rejection, probabilities)
                batch = []
        if batch:
            yield from self._segment(batch, vocabulary, classes, rejection, probabilities)

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

    def _fits(self, batch: list[tuple], sample: dict) -> bool:
        """Return whether a sample can share a batch, without padding."""
        squared = getattr(self.model.data_preprocessor, 'input_size', None) is not None
        shape = sample['inputs'].shape
        return squared or all(other['inputs'].shape == shape for _, _, other in batch)

    def _segment(
        self,
        batch: list[tuple[ImageInput, np.ndarray, dict]],
        vocabulary: Vocabulary,
        classes: tuple[str, ...],
        rejection: Rejection,
        keep_probabilities: bool,
    ) -> Iterator[SegmentationResult]:
        # Here, as another stream of this inferencer may have set its own.
        if vocabulary != self._vocabulary:
            set_model_vocabulary(self.model, vocabulary, type(self).__name__)
            self._vocabulary = vocabulary
        data = pseudo_collate([sample for _, _, sample in batch])
        data = self.model.data_preprocessor(data, False)
        metas = [sample.metainfo for sample in data['data_samples']]
        logits = self.model.inference(data['inputs'], metas)
        for (image, rgb, _), one, meta in zip(batch, logits, metas, strict=True):
            left, right, top, bottom = meta.get(
                'img_padding_size', meta.get('padding_size', (0, 0, 0, 0))
            )
            height, width = one.shape[1:]
            predicted = predict_pixels(
                one[:, top : height - bottom, left : width - right],
                rgb.shape[:2],
                self.model.decode_head.text_encoder.logit_scale,
                self.model.align_corners,
                keep_probabilities,
            )
            yield rejection.result(rgb, predicted, classes, image.name)


def _build(cfg: Config, weights: str | None) -> nn.Module:
    if weights is None:
        return MODELS.build(cfg.model)
    checkpoint = CheckpointLoader.load_checkpoint(weights, map_location='cpu', logger='silent')
    if isinstance(checkpoint, Mapping):
        skip_public_weights(cfg.model, checkpoint.get('state_dict', checkpoint))
    model = MODELS.build(cfg.model)
    check_checkpoint_fit(model, checkpoint, weights, trained=True)
    _load_checkpoint_to_model(model, checkpoint)
    return model


def _warn_of_small_clip(text_encoder: nn.Module) -> None:
    """Warn that a CLIP of the bundled kind is not for photos."""
    if getattr(text_encoder, 'trained_token_ids', None) is not None:
        warnings.warn(
            f"The small CLIP '{text_encoder.pretrained}' knows only shapes and textures of "
            'rendered scenes: results on photos are meaningless. For photos, add --model '
            'clip-vit-b16 to langseg, or use the config pixelclip/vit-b16_coco: this downloads a '
            'pretrained CLIP.',
            LangSegWarning,
            stacklevel=3,
        )


def _with_vocabulary(
    images: Iterator[ImageInput], texts: Texts
) -> Iterator[tuple[ImageInput, Vocabulary]]:
    """Pair images with their vocabularies."""
    several = isinstance(texts, (list, tuple)) and any(isinstance(t, Vocabulary) for t in texts)
    if not several:
        vocabulary = parse_texts(texts)
        yield from ((image, vocabulary) for image in images)
        return
    vocabularies = [parse_texts(entry) for entry in texts]
    for number, image in enumerate(images):
        if number == len(vocabularies):
            raise ValueError(
                f'{len(vocabularies)} vocabularies for more images; expected one per image.'
            )
        yield image, vocabularies[number]


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
