"""Inferencer for open-vocabulary segmentation: from an image and class names to a label map."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from tqdm import tqdm

from mmseg_langseg.datasets.image_pipeline import ImagePipeline
from mmseg_langseg.export import SegmentationResult, save_results
from mmseg_langseg.fileio import LangSegWarning, raise_machine_fault, trusted_checkpoint
from mmseg_langseg.masks import check_integer
from mmseg_langseg.models.segmentors import (
    ClassLogits,
    TiledLogits,
    compute_logits,
    predict_pixels,
    window_boxes,
)
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import (
    check_language_head,
    set_model_vocabulary,
)

from .device import check_device
from .image_inputs import Inputs, image_inputs, is_single_image, number_of_images
from .launch import check_checkpoint, load_config
from .model_zoo import model_config, warn_of_random_clip, warn_of_small_clip
from .rejection import Rejection, add_contrast
from .stored_weights import build_model
from .texts import Texts, pair_vocabularies


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
        prepare: Test preprocessing: an RGB image to a sample, see ``ImagePipeline``.
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
            self.model = build_model(cfg, weights)
        check_language_head(self.model, type(self).__name__)
        warn_of_small_clip(self.model.decode_head.text_encoder)
        warn_of_random_clip(self.model.decode_head.text_encoder, weights)
        self.model.to(device).eval()
        self.prepare = ImagePipeline(cfg)
        self._vocabulary: Vocabulary | None = None
        model = hashlib.sha256(repr((cfg.model, self.prepare.steps)).encode()).hexdigest()
        self.settings = dict(model=model, weights=weights and os.path.abspath(weights))

    def __call__(
        self,
        inputs: Inputs,
        texts: Texts,
        batch_size: int = 1,
        out_dir: str | os.PathLike | None = None,
        formats: Sequence[str] = ('overlay',),
        overwrite: bool = False,
        show_progress: bool = True,
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
            out_dir: Folder to save the results to, see ``save_results``; None saves nothing.
            formats: Formats to save, e.g. ``['overlay', 'labels', 'coco']``.
            overwrite: Replace files that exist.
            show_progress: Show a progress bar with rate and time left for several images, if
                stderr is a terminal.
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
        if out_dir is not None and 'heatmaps' in formats:
            options['probabilities'] = True
        bar = tqdm(
            self.stream(inputs, texts, batch_size, **options),
            total=number_of_images(inputs),
            unit='image',
            disable=None if show_progress and not is_single_image(inputs) else True,
        )
        results = list(bar)
        if out_dir is not None:
            save_results(results, out_dir, formats, overwrite)
        return results[0] if is_single_image(inputs) else results

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
        tile_size: int | None = None,
    ) -> Iterator[SegmentationResult]:
        """Segment images one after another, in constant memory.

        Images of different sizes share a batch if the config resizes them to one size; otherwise
        only consecutive images of equal size do.

        Args:
            inputs: See :meth:`__call__`.
            texts: See :meth:`__call__`. A single class competes with ``contrast`` words.
            batch_size: Images per forward pass.
            threshold: Reject pixels whose best class has a lower probability, in [0, 1]: softmax
                over the embedding rows (all classes and background words) at CLIP's own logit
                scale, of which a class has its best row. Rejected pixels get the class
                ``'other'``, which is appended.
            min_margin: Reject pixels whose two best classes have probabilities that differ by less.
            contrast: Words that compete with a single class, instead of the bundled
                ``contrast.json``; pixels where they win get the class ``'other'``.
            probabilities: Keep the probabilities of all classes in the results.
            on_bad_image: Called with name and error of an image that cannot be read, which is then
                skipped. None: a single image raises the error; of several, it is skipped with a
                warning, so tell results apart by their names.
            tile_size: Segment images with a longer side in square tiles of so many pixels, each
                preprocessed as an image of its own. A quarter of neighboring tiles overlaps, where
                logits are averaged. None: images are segmented as a whole, whatever their size.

        Yields:
            Results in the order of the inputs.

        Raises:
            ValueError: See :meth:`__call__`, or no image can be read.
        """
        rejection = Rejection(threshold, min_margin)
        check_integer('batch_size', batch_size, 1)
        if tile_size is not None:
            check_integer('tile_size', tile_size, 16)
        scale = self.model.decode_head.text_encoder.logit_scale
        run = _Run(rejection, probabilities)
        batch: list[_Loaded] = []
        first_error, is_empty = None, True
        for image, given in pair_vocabularies(image_inputs(inputs), texts):
            try:
                rgb = image.load()
                tiled = tile_size is not None and max(rgb.shape[:2]) > tile_size
                loaded = _Loaded(image.name, rgb, self.prepare(rgb[:tile_size, :tile_size]))
            except (OSError, TypeError, ValueError) as error:
                raise_machine_fault(error)
                if on_bad_image is not None:
                    on_bad_image(image.name, error)
                    continue
                if is_single_image(inputs) or isinstance(error, TypeError):
                    raise
                warnings.warn(f'skipped: {error}', LangSegWarning, stacklevel=2)
                first_error = first_error or error
                continue
            is_empty = False
            if batch and (tiled or given != run.given or not self._fits(batch, loaded)):
                yield from self._segment(batch, run)
                batch = []
            if given != run.given:
                run.given, run.classes = given, rejection.classes(given)
                run.vocabulary = add_contrast(given, contrast)
                rejection.check_reachable(len(run.vocabulary.rows), scale)
            if tiled:
                yield self._segment_in_tiles(loaded, run, tile_size, batch_size)
                continue
            batch.append(loaded)
            if len(batch) == batch_size:
                yield from self._segment(batch, run)
                batch = []
        if batch:
            yield from self._segment(batch, run)
        if first_error is not None and is_empty:
            raise ValueError(f'No image can be read; the first: {first_error}') from first_error

    def _fits(self, batch: list[_Loaded], loaded: _Loaded) -> bool:
        """Return whether a sample can share a batch, without padding."""
        squared = getattr(self.model.data_preprocessor, 'input_size', None) is not None
        shape = loaded.sample['inputs'].shape
        return squared or all(other.sample['inputs'].shape == shape for other in batch)

    def _segment(self, batch: list[_Loaded], run: _Run) -> Iterator[SegmentationResult]:
        self._set_vocabulary(run.vocabulary)
        sizes = [loaded.rgb.shape[:2] for loaded in batch]
        logits = self._logits([loaded.sample for loaded in batch], sizes)
        for loaded, own in zip(batch, logits, strict=True):
            yield self._result(loaded, own, run)

    def _segment_in_tiles(
        self, loaded: _Loaded, run: _Run, tile_size: int, batch_size: int
    ) -> SegmentationResult:
        self._set_vocabulary(run.vocabulary)
        size, stride = loaded.rgb.shape[:2], max(tile_size * 3 // 4, 1)
        boxes = window_boxes(size, (tile_size, tile_size), (stride, stride))
        tiles: list[ClassLogits] = []
        for start in range(0, len(boxes), batch_size):
            crops = [loaded.rgb[y1:y2, x1:x2] for y1, x1, y2, x2 in boxes[start:][:batch_size]]
            sizes = [crop.shape[:2] for crop in crops]
            tiles += self._logits(list(map(self.prepare, crops)), sizes, keep_scores=False)
        return self._result(loaded, TiledLogits(boxes, tiles, size), run)

    def _set_vocabulary(self, vocabulary: Vocabulary) -> None:
        # For each batch, as another stream of this inferencer may have set its own.
        if vocabulary != self._vocabulary:
            set_model_vocabulary(self.model, vocabulary, type(self).__name__)
            self._vocabulary = vocabulary

    def _logits(
        self, samples: list[dict], sizes: list[tuple[int, int]], keep_scores: bool = True
    ) -> list[ClassLogits]:
        data = self.model.data_preprocessor(pseudo_collate(samples), False)
        metas = [
            dict(sample.metainfo, ori_shape=size)
            for sample, size in zip(data['data_samples'], sizes, strict=True)
        ]
        return compute_logits(self.model, data['inputs'], metas, keep_scores)

    def _result(self, loaded: _Loaded, logits: ClassLogits, run: _Run) -> SegmentationResult:
        scale = self.model.decode_head.text_encoder.logit_scale
        predicted = predict_pixels(logits, scale, run.probabilities)
        return run.rejection.result(loaded.rgb, predicted, run.classes, loaded.name)


@dataclass(frozen=True)
class _Loaded:
    """Image and its sample from the test pipeline."""

    name: str | None
    rgb: np.ndarray
    sample: dict


@dataclass
class _Run:
    """Options of a stream, and the vocabulary of the current images."""

    rejection: Rejection
    probabilities: bool
    given: Vocabulary | None = None
    vocabulary: Vocabulary | None = None
    classes: tuple[str, ...] = ()
