"""Verdict during training on whether it helps, from photos without labels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import DATASETS, HOOKS

from mmseg_langseg._random import generator_states, set_generator_states
from mmseg_langseg.datasets.image_pipeline import ImagePipeline
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import check_language_head, set_model_vocabulary
from mmseg_langseg.verdict import (
    UNINFORMED,
    Evidence,
    Photo,
    Verdict,
    compare,
    judge,
    measure,
)
from mmseg_langseg.verdict.dataset_photos import dataset_photos
from mmseg_langseg.verdict.untrained_features import untrained_features

from .throughput_hook import ThroughputHook
from .unwrap import unwrap_model

SCORES = ('verdict/gain', 'verdict/low', 'verdict/high')
"""Names of the logged scalars, which ``save_best`` of the checkpoint hook can name."""
_KEY = 'verdict'
_LOADING = [dict(type='LoadUnlabeledImage'), dict(type='LoadUnlabeledMasks')]
_DECISIONS = dict(
    better='better than before the training',
    worse='worse than before the training',
    undecided='cannot be told apart from the model before the training',
)


@HOOKS.register_module()
class LabelFreeVerdictHook(Hook):
    """Estimate during training how much better the model has become, without labels.

    Before a new training, photos with class-agnostic masks are predicted by the untrained model,
    for CLIP-S⁴ and MaskCLIP+ by their teacher, i.e. zero-shot CLIP, which also gives its judgment
    of each mask. Every ``interval`` iterations the model in training predicts the same photos, and
    the difference of the estimated mIoU is logged and sent to the visualization backends:
    ``verdict/gain``, with an interval from ``verdict/low`` to ``verdict/high``, in percent points.

    ``save_best='verdict/gain', rule='greater'`` of the checkpoint hook keeps the best checkpoint,
    with or without validation data.

    The training computes the same as without the hook. What the untrained model predicts is stored
    in the checkpoints for resumed trainings. In a distributed training, the first process measures
    and the others wait.

    Args:
        dataset: Config of the photos, best not those of the training: ``UnlabeledMaskDataset``, or
            another whose pipeline loads images and masks (``img``, ``mask_rles``) only. The default
            of its ``pipeline`` does so for SA-1B's format. The images then pass the test pipeline
            of the config. No labels are read.
        interval: Iterations between two verdicts; None: those between two validations.
        num_photos: Maximum number of photos, spread evenly over the dataset.
        texts: Class names, see ``Vocabulary.parse``; None: those of the model's fixed vocabulary or
            of the validation data.

    Raises:
        ValueError: ``interval`` is less than 1.
    """

    # Before the checkpoint hook, which reads the scores.
    priority = 'LOW'

    def __init__(
        self,
        dataset: dict,
        interval: int | None = None,
        num_photos: int = 100,
        texts: str | Sequence[str] | None = None,
    ) -> None:
        if interval is not None and interval < 1:
            raise ValueError(f'interval={interval}: expected a positive number of iterations.')
        self.dataset = dataset
        self.interval = interval
        self.num_photos = num_photos
        self.texts = texts
        self._stored: dict[str, Any] | None = None
        self._measured = 0

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read what the untrained model predicted, from a checkpoint that is resumed."""
        if runner.cfg.get('resume', False):
            self._stored = checkpoint.get(_KEY)

    def before_train(self, runner: Runner) -> None:
        """Measure the untrained model.

        Raises:
            ValueError: There are no class names, no photos with masks, or no interval; or the
                checkpoint to resume from was written without this hook or for other photos.
        """
        model = unwrap_model(runner.model, 'decode_head', type(self).__name__)
        check_language_head(model, type(self).__name__)
        if self.interval is None:
            self.interval = _validation_interval(runner)
        if not is_main_process():
            return
        start = time.perf_counter()
        self._prepare = ImagePipeline(runner.cfg)
        self._photos = dataset_photos(
            DATASETS.build({'pipeline': _LOADING, **self.dataset}), self.num_photos
        )
        vocabulary = self._vocabulary(runner, model)
        self._fingerprint = _fingerprint(self._photos, vocabulary, model.decode_head.templates)
        own = _words(model)
        set_model_vocabulary(model, vocabulary, type(self).__name__)
        self._verdict_words = _words(model)
        _set_words(model, own)
        if runner.iter > 0:
            self._judged, self._informed, self._before = self._restored()
            return
        with self._measuring(model), untrained_features(model):
            judgment = judge(model, self._prepare, self._photos)
            self._judged, self._informed = judgment.classes, judgment.informed
            self._before = measure(model, self._prepare, self._photos)
        runner.logger.info(
            f'Label-free verdict: the model before the training is measured on '
            f'{len(self._photos)} photos with {len(self._judged)} masks, in '
            f'{time.perf_counter() - start:.1f} s.'
        )
        if not self._informed:
            runner.logger.warning(UNINFORMED)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Give a verdict on the iterations before, every ``interval`` iterations."""
        if runner.iter > self._measured and runner.iter % self.interval == 0:
            self._give_verdict(runner)

    def after_train(self, runner: Runner) -> None:
        """Give the last verdict and log the best one."""
        if runner.iter > self._measured:
            self._give_verdict(runner)
        best = runner.message_hub.runtime_info.get('best_verdict')
        if best is None:
            return
        verdict = Verdict(*best['scores'], {})
        runner.logger.info(f'Best verdict: iteration {best["iter"]}, {_describe(verdict)}.')
        if verdict.decision != 'better':
            runner.logger.warning(
                'No verdict says that the training helped on these photos: use the model without '
                'a checkpoint.'
            )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Tell the checkpoint hook that a validation has no verdict."""
        if metrics is not None and any(_keepers(runner)):
            metrics.update(dict.fromkeys(SCORES))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store what the untrained model predicted, if the training can be resumed from it."""
        if 'optimizer' not in checkpoint:
            return
        informed = np.array(self._informed)
        arrays = dict(asdict(self._before), judged=self._judged, informed=informed)
        tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
        checkpoint[_KEY] = dict(tensors, fingerprint=self._fingerprint)

    def _give_verdict(self, runner: Runner) -> None:
        self._measured = runner.iter
        start = time.perf_counter()
        values: list[Any] = [None] * len(SCORES)
        if is_main_process():
            verdict = self._compare(unwrap_model(runner.model, 'decode_head', type(self).__name__))
            values = [verdict.gain, verdict.low, verdict.high]
        broadcast_object_list(values)
        seconds = time.perf_counter() - start
        for hook in runner.hooks:
            if isinstance(hook, ThroughputHook):
                hook.leave_out(seconds)
        runner.logger.info(
            f'Verdict after {runner.iter} iterations: {_describe(Verdict(*values, {}))} '
            f'({seconds:.1f} s).'
        )
        scores = dict(zip(SCORES, values, strict=True))
        for name, value in scores.items():
            runner.message_hub.update_scalar(name, value)
        runner.visualizer.add_scalars(scores, step=runner.iter)
        best = runner.message_hub.runtime_info.get('best_verdict')
        if best is None or values[0] > best['scores'][0]:
            runner.message_hub.update_info('best_verdict', dict(iter=runner.iter, scores=values))
        for hook in _keepers(runner):
            hook._save_best_checkpoint(runner, {**dict.fromkeys(hook.key_indicators), **scores})

    def _compare(self, model: EncoderDecoder) -> Verdict:
        with self._measuring(model):
            after = measure(model, self._prepare, self._photos)
        return compare(self._judged, self._before, after, self._informed)

    @contextmanager
    def _measuring(self, model: EncoderDecoder) -> Iterator[None]:
        """Set evaluation mode and the class names, and restore all state afterwards."""
        modes = {module: module.training for module in model.modules()}
        own, states = _words(model), generator_states()
        model.eval()
        _set_words(model, self._verdict_words)
        try:
            yield
        finally:
            _set_words(model, own)
            set_generator_states(states)
            for module, mode in modes.items():
                module.training = mode

    def _restored(self) -> tuple[np.ndarray, bool, Evidence]:
        """Return the stored classes of the masks and the evidence of the untrained model."""
        stored = dict(self._stored or {})
        if not stored:
            raise ValueError(
                'The training is resumed from a checkpoint that was written without '
                'LabelFreeVerdictHook, so the model before the training is not known: start a new '
                'training, or remove the hook.'
            )
        if stored.pop('fingerprint') != self._fingerprint:
            raise ValueError(
                'LabelFreeVerdictHook: the training was started with other photos, masks, texts or '
                'templates; resume it with the same, or start a new one.'
            )
        arrays = {name: value.cpu().numpy() for name, value in stored.items()}
        judged, informed = arrays.pop('judged'), bool(arrays.pop('informed'))
        return judged, informed, Evidence(**arrays)

    def _vocabulary(self, runner: Runner, model: EncoderDecoder) -> Vocabulary:
        if self.texts is not None:
            return Vocabulary.parse(self.texts)
        if model.decode_head.fixed_vocabulary:
            return model.decode_head.vocabulary
        classes = None
        if runner.val_loop is not None:
            classes = runner.val_dataloader.dataset.metainfo.get('classes')
        if not classes:
            raise ValueError(
                'LabelFreeVerdictHook has no class names: give texts, e.g. texts="person; dog; '
                'sky", as the config has neither a vocabulary nor validation data with classes.'
            )
        return Vocabulary.from_names(classes)


def _validation_interval(runner: Runner) -> int:
    loop = runner.train_loop
    if not isinstance(loop, IterBasedTrainLoop):
        raise ValueError(
            'LabelFreeVerdictHook: a training by epochs needs interval, a number of iterations.'
        )
    return loop.val_interval


def _keepers(runner: Runner) -> list[CheckpointHook]:
    """Return the checkpoint hooks that keep the best checkpoint by a verdict."""
    hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and hook.save_best]
    return [hook for hook in hooks if set(SCORES) & set(hook.key_indicators)]


def _describe(verdict: Verdict) -> str:
    return (
        f'{verdict.gain:+.2f} mIoU ({verdict.low:+.2f} to {verdict.high:+.2f}), '
        f'{_DECISIONS[verdict.decision]}'
    )


def _words(model: EncoderDecoder) -> tuple:
    """Return what depends on the class names of a model."""
    head = model.decode_head
    return (
        (head.vocabulary, head.text_rows, head.row_class, head.logit_offset),
        (model.num_classes, model.out_channels),
    )


def _set_words(model: EncoderDecoder, words: tuple) -> None:
    head = model.decode_head
    (head.vocabulary, head.text_rows, head.row_class, head.logit_offset), counts = words
    model.num_classes, model.out_channels = counts


def _fingerprint(photos: list[Photo], vocabulary: Vocabulary, templates: Any) -> str:
    """Return a hash of what a stored measurement belongs to."""
    parts = [[photo.masks for photo in photos], vocabulary.rows, templates]
    return hashlib.sha256(repr(parts).encode()).hexdigest()
