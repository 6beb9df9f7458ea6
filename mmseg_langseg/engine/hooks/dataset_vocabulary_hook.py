"""Set the class names of the tested dataset as the model's vocabulary; check known classes."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn
from torch.utils.data import Dataset

from mmseg_langseg.evaluation import KnownSplit, KnownUnknownIoUMetric
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import check_language_head, set_model_vocabulary

from .unwrap import unwrap_model


@HOOKS.register_module()
class DatasetVocabularyHook(Hook):
    """Set the vocabulary of the model to the dataset's classes before validation and test.

    One checkpoint can thus be evaluated on any benchmark without changing its config. If the config
    sets ``decode_head.vocabulary``, that one is kept: it must have as many classes as the dataset,
    and class names that differ from the dataset's are logged.

    The known classes of CLIP-S⁴ and MaskCLIP+ are compared with the split of a
    ``KnownUnknownIoUMetric``: before training, a difference is an error. Checkpoints store their
    known classes, so that a test with another split logs a warning.
    """

    def __init__(self) -> None:
        self._trained: Vocabulary | None = None

    def before_train(self, runner: Runner) -> None:
        """Compare the known classes with the validation dataset and its metric.

        Raises:
            ValueError: If they differ from the metric's known classes.
        """
        known = _known_words(_head(runner))
        if known is None or runner.val_loop is None:
            return
        problem = self._compare(runner, runner.val_loop, known)
        if problem:
            raise ValueError(
                f'{problem}. `tools/train.py --known` sets both; or change val_evaluator and '
                'test_evaluator.'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the known classes in the checkpoint."""
        known = _known_words(_head(runner))
        if known is not None:
            words = zip(known.names, known.synonyms, strict=True)
            checkpoint['meta']['known_words'] = [', '.join((name, *more)) for name, more in words]

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read the known classes of the checkpoint."""
        meta = checkpoint.get('meta')
        known = meta.get('known_words') if isinstance(meta, dict) else None
        self._trained = Vocabulary.from_names(known) if known else None

    def before_val(self, runner: Runner) -> None:
        """Set the vocabulary to the classes of the validation dataset."""
        self._set(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Set the vocabulary to the classes of the test dataset."""
        self._set(runner, runner.test_dataloader.dataset)
        if self._trained is not None:
            problem = self._compare(runner, runner.test_loop, self._trained)
            if problem:
                runner.logger.warning(
                    f'{problem}. The known classes are those of the checkpoint, so mIoU_known and '
                    'mIoU_unknown do not measure what their names say; set the split with '
                    '`tools/test.py --known`.'
                )

    def _compare(self, runner: Runner, loop, known: Vocabulary) -> str:
        """Describe the mismatch of known classes and tested dataset; '' if there is none."""
        head, dataset = _head(runner), loop.dataloader.dataset
        classes = dataset.metainfo.get('classes') or ()
        split = KnownSplit.of(known, classes, head.vocabulary if head.fixed_vocabulary else None)
        metrics = [m for m in loop.evaluator.metrics if isinstance(m, KnownUnknownIoUMetric)]
        if split.strangers:
            text = (
                f'The known classes {", ".join(split.strangers)} are not in '
                f'{type(dataset).__name__}'
            )
            if metrics:
                return text
            runner.logger.info(f'{text}: they are trained, but not tested.')
        if not split.unknown and not hasattr(head, 'known'):
            return ''  # MaskCLIP+ with all class names is evaluated on the split of other methods
        problems = (split.differences(metric.unknown) for metric in metrics)
        return next((f'Classes that {problem}' for problem in problems if problem), '')

    def _set(self, runner: Runner, dataset: Dataset) -> None:
        model = unwrap_model(runner.model, 'decode_head', type(self).__name__)
        classes = dataset.metainfo.get('classes')
        if not classes:
            raise ValueError(
                f'{type(dataset).__name__} names no classes in its metainfo: give '
                'decode_head.vocabulary in the config.'
            )
        head = model.decode_head
        check_language_head(model, type(self).__name__)
        # An earlier test with centered logits may have set it.
        head.set_logit_offset(torch.zeros_like(head.logit_offset))
        if head.fixed_vocabulary:
            head.vocabulary.check_num_classes(len(classes), type(dataset).__name__)
            _log_other_names(runner, head.vocabulary.names, dataset)
            return
        vocabulary = Vocabulary.from_names(classes)
        if vocabulary != head.vocabulary:
            set_model_vocabulary(model, vocabulary, type(self).__name__)
            runner.logger.info(
                f'Vocabulary: {len(classes)} classes of {type(dataset).__name__}, '
                f'templates {head.templates!r}.'
            )


def _log_other_names(runner: Runner, names: tuple[str, ...], dataset: Dataset) -> None:
    """Log which classes have other names in the config's vocabulary than in the dataset."""
    classes = [' '.join(name.split()) for name in dataset.metainfo['classes']]
    pairs = zip(classes, names, strict=True)
    other = [f'{index} {a!r} -> {b!r}' for index, (a, b) in enumerate(pairs) if a != b]
    if other:
        more = ', ...' if len(other) > 5 else ''
        runner.logger.info(
            f'Vocabulary of the config: {len(other)} of {len(names)} classes have other names than '
            f'in {type(dataset).__name__}: {", ".join(other[:5])}{more}'
        )


def _head(runner: Runner) -> nn.Module | None:
    model = runner.model
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return getattr(model, 'decode_head', None)


def _known_words(head: nn.Module | None) -> Vocabulary | None:
    """Return the known classes of a training; None if the head has none."""
    known = getattr(head, 'known', None) or getattr(head, 'names', None)
    return known if isinstance(known, Vocabulary) else None
