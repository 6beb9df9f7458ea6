"""Hands the class names of the dataset under test to the model."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import Dataset

from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import check_language_head, set_model_vocabulary

from .unwrap import unwrap_model


@HOOKS.register_module()
class DatasetVocabularyHook(Hook):
    """Before validation and test the model's words become the dataset's classes.

    One checkpoint is so evaluated on any benchmark without a change of its config. If the config
    gives ``decode_head.vocabulary``, that one stays: it must have as many classes as the dataset,
    and class names that differ from the dataset's are logged.
    """

    def before_val(self, runner: Runner) -> None:
        """Sets the words of the validation dataset."""
        self._set(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Sets the words of the test dataset."""
        self._set(runner, runner.test_dataloader.dataset)

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
        # What an earlier, centred test of this model has left.
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
    """Log which classes the config's vocabulary calls otherwise than the dataset."""
    classes = [' '.join(name.split()) for name in dataset.metainfo['classes']]
    pairs = zip(classes, names, strict=True)
    other = [f'{index} {a!r} -> {b!r}' for index, (a, b) in enumerate(pairs) if a != b]
    if other:
        more = ', ...' if len(other) > 5 else ''
        runner.logger.info(
            f'Vocabulary of the config: {len(other)} of {len(names)} classes have other names than '
            f'in {type(dataset).__name__}: {", ".join(other[:5])}{more}'
        )
