"""Configs of an adaptation: for its training, and for the use of the result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_langseg.apis.config_checks import check_can_train
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.apis.model_zoo import photo_config
from mmseg_langseg.apis.words import KNOWN_KEYS
from mmseg_langseg.fileio import write_whole_file
from mmseg_langseg.models.segmentors.distilled_segmentor import DistilledSegmentor
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.text_encoders.vocabulary import BACKGROUND

from .candidate import Candidate

SNAPSHOTS = 10
_TIMES = ('begin', 'end', 'T_max', 'total_iters', 'step_size')


def training_config(
    model: str,
    vocabulary: Vocabulary,
    iterations: int | None = None,
    batch_size: int | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> Config:
    """Return the config that trains a model on photos, without its data.

    Args:
        model: Short name of ``model_zoo.PHOTO_CONFIGS``, or config file.
        vocabulary: Class names, the known classes of methods that have such.
        iterations: Length of the training, to which the schedule is scaled; None: the config's.
        batch_size: Images per step; None: the config's.
        cfg_options: Dotted keys and values that override the config.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: The config does not train on photos in iterations, or an option does not fit.
    """
    cfg = load_config(photo_config(model), work_dir='.', cfg_options=dict(cfg_options or {}))
    check_can_train(cfg)
    dataset = cfg.train_dataloader.dataset
    if dataset.get('type') != 'UnlabeledMaskDataset':
        raise ValueError(
            f'{cfg.filename} trains on {dataset.get("type")}, not on photos without labels '
            '(UnlabeledMaskDataset); *_photos.py configs do.'
        )
    if 'feature_path' in (dataset.get('data_prefix') or {}):
        raise ValueError(f'{cfg.filename} needs precomputed features of the photos.')
    if not cfg.train_cfg.get('max_iters'):
        raise ValueError(f'{cfg.filename} trains in epochs; expected train_cfg.max_iters.')
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None  # labels play no part
    cfg.randomness = dict(dict(seed=0), **(cfg.get('randomness') or {}))
    head = cfg.model.decode_head
    for key in KNOWN_KEYS:
        if key in head:
            words = zip(vocabulary.names, vocabulary.synonyms, strict=True)
            head[key] = [
                ', '.join((name, *synonyms))
                for name, synonyms in words
                if not vocabulary.background or name.lower() != BACKGROUND
            ]
    if batch_size is not None:
        cfg.train_dataloader.batch_size = batch_size
    if iterations is not None:
        _scale_schedule(cfg, iterations)
    return cfg


def set_data(
    cfg: Config, folder: Path, masks: Path, names: Sequence[str], work_dir: Path, snapshots: Path
) -> None:
    """Set the photos of a training and the folders that it writes to, in place.

    Args:
        cfg: Config of :func:`training_config`.
        folder: Folder of the photos.
        masks: Folder of their mask files.
        names: Photos to train on, relative to the folder.
        work_dir: Folder for logs and checkpoints, which gets a list of the photos.
        snapshots: Folder for the weights of :func:`snapshot_iterations`.
    """
    listed = work_dir / 'photos.txt'
    write_whole_file(listed, ''.join(f'{name}\n' for name in names).encode())
    dataset = cfg.train_dataloader.dataset
    prefix = dict(img_path=str(folder.resolve()))
    if 'mask_path' in (dataset.get('data_prefix') or {'mask_path': 'masks'}):
        prefix['mask_path'] = str(masks.resolve())
    dataset.update(data_root=None, data_prefix=prefix, ann_file=str(listed.resolve()))
    cfg.work_dir = str(work_dir)
    interval = snapshot_iterations(cfg)[0]
    hook = dict(type='WeightsSnapshotHook', interval=interval, out_dir=str(snapshots))
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), hook]
    # Interrupted trainings resume from checkpoints.
    checkpoint = cfg.default_hooks.checkpoint
    checkpoint.interval = min(checkpoint.get('interval', interval), interval)


def snapshot_iterations(cfg: Config) -> list[int]:
    """Return the iterations whose weights are kept: at most ten, the last one included."""
    last = cfg.train_cfg.max_iters
    interval = math.ceil(last / SNAPSHOTS)
    return [*range(interval, last, interval), last]


def inference_config(cfg: Config, candidate: Candidate) -> Config:
    """Return a short config for segmentation with a model of a training.

    Args:
        cfg: Config of :func:`training_config`.
        candidate: The model; without weights, it is zero-shot CLIP, for CLIP-S⁴ and MaskCLIP+ with
            the image tower of their teacher, as their student cannot classify before the training.
    """
    kept = {key: cfg[key] for key in ('custom_imports', 'default_scope') if key in cfg}
    test = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    pipeline = test.get('pipeline') or cfg.get('test_pipeline') or [dict(type='PackSegInputs')]
    model = _zero_shot(cfg.model) if candidate.weights is None else cfg.model
    short = Config(dict(kept, model=model, test_pipeline=pipeline))
    return load_config(short, work_dir='.', cfg_options=dict(candidate.cfg_options))


def _zero_shot(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the config of zero-shot CLIP for that of a segmentor."""
    kind = MODELS.get(model['type']) if isinstance(model['type'], str) else model['type']
    if not issubclass(kind, DistilledSegmentor):
        return model
    if not model.get('teacher'):
        raise ValueError(
            f'{kind.__name__} has teacher={model.get("teacher")}, so there is no CLIP to compare '
            'its student with: give model.teacher in the config.'
        )
    kept = ('clip', 'data_preprocessor', 'test_cfg')
    head = ('text_encoder', 'templates', 'feature_size', 'align_corners')
    given = model['decode_head']
    return dict(
        type='LanguageSegmentor',
        backbone=model['teacher'],
        decode_head=dict(
            dict(type='LanguageHead', feature_size=None),
            **{key: given[key] for key in head if key in given},
        ),
        **{key: model[key] for key in kept if key in model},
    )


def _scale_schedule(cfg: Config, iterations: int) -> None:
    """Set the number of iterations, and scale the learning rate schedule to it."""
    factor = iterations / cfg.train_cfg.max_iters
    cfg.train_cfg.max_iters = iterations
    schedulers = cfg.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        for key in _TIMES:
            if scheduler.get(key):
                scheduler[key] = max(round(scheduler[key] * factor), 1)
        if 'milestones' in scheduler:
            scheduler.milestones = [round(step * factor) for step in scheduler.milestones]
        if scheduler.get('end') is not None:
            scheduler.end = max(scheduler.end, scheduler.get('begin', 0) + 1)
