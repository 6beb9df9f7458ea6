"""Changes of how a config tests: corrupted images, further metrics, masks instead of pixels."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping

from mmengine.config import Config
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import MODELS

from mmseg_langseg.models.segmentors import LanguageSegmentor

from .config_checks import datasets_of
from .data_check import ignored_label

GROUND_TRUTH = 'ground_truth'
_MASK_KEYS = ('mask_rles', 'mask_classes')
# Refinements of pixel scores, which masks do not have.
_PIXEL_OPTIONS = dict(
    test_cfg=('pamr', 'area_threshold'), decode_head=('key_smoothing', 'prompt_denoising')
)


def use_corruption(cfg: Config, corruption: str, severity: int) -> None:
    """Corrupt the test images of a config right after they are loaded, in place.

    Args:
        cfg: Config that tests.
        corruption: See ``Corrupt``.
        severity: Likewise.

    Raises:
        ValueError: A pipeline loads no image.
    """
    step = dict(type='Corrupt', corruption=corruption, severity=severity)
    for dataset in _datasets(cfg):
        dataset['pipeline'] = _corrupted(dataset['pipeline'], step)
    if cfg.get('tta_pipeline') is not None:
        cfg.tta_pipeline = _corrupted(cfg.tta_pipeline, step)


def add_metric(cfg: Config, metric: str) -> None:
    """Add a metric to those of a config, with the label that they ignore; in place.

    Args:
        cfg: Config that tests.
        metric: Name of a metric with the argument ``ignore_index``; not added twice.
    """
    metrics = cfg.test_evaluator
    metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
    if any(one.get('type') == metric for one in metrics):
        return
    added = dict(type=metric)
    ignored = ignored_label(cfg, 'test_dataloader')
    if ignored is not None:
        added['ignore_index'] = ignored
    cfg.test_evaluator = [*metrics, added]


def use_masks(cfg: Config, masks: str) -> None:
    """Test the zero-shot classification of masks instead of pixels, in place.

    Refinements of pixel scores (PAMR, area threshold, key smoothing, prompt denoising) do not apply
    and are removed.

    Args:
        cfg: Config of a language segmentor that tests.
        masks: ``'ground_truth'`` for the segments of the label maps, or the folder of SA-1B-style
            mask files in the folder tree of the images; see ``LoadMaskProposals``.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: The model is no ``LanguageSegmentor``, or a pipeline does not pack its images
            with ``PackSegInputs``.
    """
    kind = MODELS.get(cfg.model.type) if isinstance(cfg.model.type, str) else cfg.model.type
    if not (isinstance(kind, type) and issubclass(kind, LanguageSegmentor)):
        raise ValueError(
            f'--masks needs a LanguageSegmentor; the model of {cfg.filename} is a {cfg.model.type}.'
        )
    if masks != GROUND_TRUTH and not os.path.isdir(masks):
        raise FileNotFoundError(
            f'--masks {masks!r}: there is no such folder; expected a folder of mask files, or '
            f'{GROUND_TRUTH!r}.'
        )
    step = dict(type='LoadMaskProposals')
    ignored = ignored_label(cfg, 'test_dataloader')
    if ignored is not None:
        step['ignore_index'] = ignored
    for dataset in _datasets(cfg):
        if masks != GROUND_TRUTH:
            prefix = dataset.get('data_prefix') or {}
            root = os.path.join(dataset.get('data_root') or '', prefix.get('img_path') or '')
            step = dict(step, mask_root=masks, image_root=root)
        dataset['pipeline'] = _with_masks(dataset['pipeline'], step)
    for part, names in _PIXEL_OPTIONS.items():
        for name in names:
            (cfg.model.get(part) or {}).pop(name, None)
    cfg.model.test_cfg = dict(cfg.model.get('test_cfg') or {}, classify_masks=True)
    cfg.pop('tta_pipeline', None)
    add_metric(cfg, 'MaskClassificationMetric')


def classified_masks(cfg: Config) -> str | None:
    """Return the masks that a config classifies, see :func:`use_masks`; None: it does not."""
    for dataset in _datasets(cfg):
        for step in dataset['pipeline']:
            if isinstance(step, Mapping) and step.get('type') == 'LoadMaskProposals':
                return step.get('mask_root') or GROUND_TRUTH
    return None


def _datasets(cfg: Config) -> Iterator[Mapping]:
    """Yield the test datasets that have a pipeline, also those in wrappers."""
    loader = cfg.get('test_dataloader')
    if isinstance(loader, Mapping):
        found = datasets_of(loader.get('dataset'), 'test_dataloader.dataset')
        yield from (dataset for _, dataset in found if isinstance(dataset.get('pipeline'), list))


def _corrupted(pipeline: list[dict], step: dict) -> list[dict]:
    """Return a test pipeline with a step behind the one that loads the image."""
    position = next((i for i, old in enumerate(pipeline) if 'Load' in str(old['type'])), None)
    if position is None:
        raise ValueError('--corruption: the test pipeline has no step that loads an image.')
    return [*pipeline[: position + 1], step, *pipeline[position + 1 :]]


def _with_masks(pipeline: list[dict], step: dict) -> list[dict]:
    """Return a test pipeline that also loads masks."""
    steps = [old for old in pipeline if old['type'] != step['type']]
    if not steps or steps[-1]['type'] != 'PackSegInputs':
        raise ValueError('--masks: the test pipeline does not end with PackSegInputs.')
    default = inspect.signature(PackSegInputs).parameters['meta_keys'].default
    keys = tuple(steps[-1].get('meta_keys', default))
    pack = dict(steps[-1], meta_keys=tuple(dict.fromkeys((*keys, *_MASK_KEYS))))
    return [*steps[:-1], step, pack]
