"""Set the test vocabulary and the known classes of a config from command-line options."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import Config
from mmseg.registry import DATASETS

from mmseg_langseg.evaluation.known_split import KnownSplit
from mmseg_langseg.models.text_encoders import Vocabulary

KNOWN_KEYS = ('known', 'names')
"""Arguments for the known classes of ``CLIPS4Head`` and ``MaskCLIPPlusHead``."""


def set_texts(cfg: Config, texts: str) -> None:
    """Set the test vocabulary of a config, in place.

    Args:
        cfg: Config of a language segmentor.
        texts: ``'cat; dog, puppy'`` or the path of a JSON file, see :meth:`Vocabulary.parse`.

    Raises:
        ValueError: The texts are not a valid vocabulary, or the model does not use class names.
        FileNotFoundError: There is no such JSON file.
    """
    Vocabulary.parse(texts)
    head = _head(cfg)
    if 'text_encoder' not in head and 'clip' not in cfg.model:
        raise ValueError(
            f'--texts needs a model that uses class names; the {head.get("type")} of '
            f'{cfg.filename} does not.'
        )
    head.vocabulary = texts


def set_known(cfg: Config, known: str) -> None:
    """Set the known classes of a training and the known/unknown split of its metrics.

    Args:
        cfg: Config of CLIP-S4 or MaskCLIP+, changed in place.
        known: ``'person; dog, puppy; sky'`` or the path of a JSON file.

    Raises:
        ValueError: The class names are not a valid vocabulary, the model has no known classes, or a
            known class is missing in a dataset that is evaluated on known and unknown classes.
        FileNotFoundError: There is no such JSON file.
    """
    words = Vocabulary.parse(known)
    head = _head(cfg)
    key = next((key for key in KNOWN_KEYS if key in head), None)
    if key is None:
        raise ValueError(
            f'--known is for CLIP-S4 and MaskCLIP+; the {head.get("type")} of {cfg.filename} has '
            'no known classes.'
        )
    head[key] = known
    tested = head.get('vocabulary')
    tested = None if tested is None else Vocabulary.parse(tested)
    for part in ('val', 'test'):
        metrics = [
            metric
            for metric in _metrics(cfg.get(f'{part}_evaluator'))
            if metric.get('type') == 'KnownUnknownIoUMetric'
        ]
        if metrics:
            dataset = cfg[f'{part}_dataloader'].dataset
            split = KnownSplit.of(words, dataset_classes(dataset), tested)
            if split.strangers:
                raise ValueError(
                    f'--known: {", ".join(split.strangers)}: not in {dataset.type}, which is '
                    'evaluated on known and unknown classes. Its classes are '
                    f'{", ".join(split.known + split.unknown)}.'
                )
            for metric in metrics:
                metric.update(known=list(split.known), unknown=list(split.unknown))


def dataset_classes(dataset: dict) -> Sequence[str]:
    """Return the class names of a dataset config, without searching for images."""
    return DATASETS.build({**dataset, 'lazy_init': True, 'pipeline': []}).metainfo['classes']


def _head(cfg: Config) -> dict:
    head = cfg.model.get('decode_head')
    if not isinstance(head, dict):
        raise ValueError(f'The model of {cfg.filename} has no decode_head that uses class names.')
    return head


def _metrics(evaluator: dict | list | None) -> list[dict]:
    if not evaluator:
        return []
    evaluators = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
    found = []
    for one in evaluators:
        inner = one.get('metrics')
        found += _metrics(inner) if inner else [one]
    return found
