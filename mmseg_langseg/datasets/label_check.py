"""Validation of a dataset's label maps before training or testing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mmengine.dataset import BaseDataset
from tqdm import tqdm

from mmseg_langseg.fileio import BadFileError

from .image_files import image_size
from .label_files import LabelFileError
from .transforms import LoadLabelMap

# Seconds after which the check shows a progress bar.
_PATIENCE = 2
_THREADS = 4
_SHOWN = 5
# Cache of datasets that passed in this process: a test checks before its model is built and once
# more in LabelCheckHook, and a comparison tests on the same files several times.
_checked: set[str] = set()


def check_labels(dataset: BaseDataset, rank: int = 0, world_size: int = 1) -> None:
    """Validate all label maps of a dataset, so that a bad one stops a run before it starts.

    Datasets whose pipeline has :class:`LoadLabelMap` are checked, also inside wrappers such as
    ``ConcatDataset``. JPEG and PNG images are not decoded; only their size and completeness are
    checked. Files that passed the check in this process and have not changed are skipped.

    Args:
        dataset: Dataset to check.
        rank: Index of this process, see ``world_size``.
        world_size: Processes that share the work. They do not wait for each other: if one finds a
            bad file, it exits and its launcher stops the others.

    Raises:
        LabelFileError: Labels or images are missing, damaged, of different sizes, or contain values
            that are neither a class nor ignored. The message names the first files.
        ValueError: The dataset has no label maps, or the loader does not match its classes.
    """
    for part in dataset_parts(dataset):
        loader = find_label_loader(part)
        if loader is not None:
            _check(part, loader, rank, world_size)


def find_label_loader(dataset: BaseDataset) -> LoadLabelMap | None:
    """Find the :class:`LoadLabelMap` of a dataset's pipeline, also inside ``TestTimeAug``."""
    return next(_label_loaders(getattr(dataset, 'pipeline', None)), None)


def dataset_parts(dataset: BaseDataset) -> list[BaseDataset]:
    """Return the datasets inside wrappers such as ``ConcatDataset``, or the dataset itself."""
    inner = getattr(dataset, 'datasets', None) or getattr(dataset, 'dataset', None)
    if inner is None:
        return [dataset]
    inner = inner if isinstance(inner, list) else [inner]
    return [part for wrapped in inner for part in dataset_parts(wrapped)]


def _label_loaders(steps: Any) -> Iterator[LoadLabelMap]:
    if isinstance(steps, LoadLabelMap):
        yield steps
    elif isinstance(steps, (list, tuple)):
        for step in steps:
            yield from _label_loaders(step)
    else:
        for name in ('transforms', 'subroutines'):
            if hasattr(steps, name):
                yield from _label_loaders(getattr(steps, name))


def _check(dataset: BaseDataset, loader: LoadLabelMap, rank: int, world_size: int) -> None:
    dataset.full_init()
    samples = [_sample(dataset, index) for index in range(rank, len(dataset), world_size)]
    key = _fingerprint(samples, loader)
    if key in _checked:
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        errors = pool.map(lambda sample: _error(sample, loader), samples)
        look = dict(unit='image', delay=_PATIENCE, leave=False, disable=None if rank == 0 else True)
        bad = [e for e in tqdm(errors, desc='Check of labels', total=len(samples), **look) if e]
    if bad:
        raise LabelFileError(_summary(bad, len(samples)))
    _checked.add(key)


def _sample(dataset: BaseDataset, index: int) -> dict:
    sample = dataset.get_data_info(index)
    if sample.get('seg_map_path') is None:
        raise ValueError(
            f'{type(dataset).__name__} has no label maps; expected a folder in '
            'data_prefix.seg_map_path; to test on images without labels, remove LoadLabelMap from '
            'the pipeline and set format_only=True in the metric'
        )
    sample.setdefault('num_classes', len(dataset.metainfo.get('classes') or ()) or None)
    return sample


def _error(sample: dict, loader: LoadLabelMap) -> str | None:
    try:
        sample['ori_shape'] = image_size(sample['img_path'], loader.backend_args)
        loader.transform(sample)
    except BadFileError as error:
        return str(error)
    finally:
        sample.pop('gt_seg_map', None)
    return None


def _fingerprint(samples: list[dict], loader: LoadLabelMap) -> str:
    """Compute a hash that changes with the files and with the meaning of their values."""
    state = hashlib.sha256(repr(loader).encode())
    for sample in samples:
        files = (_state(sample['img_path']), _state(sample['seg_map_path']))
        meaning = [sample.get(k) for k in ('num_classes', 'label_map', 'reduce_zero_label')]
        state.update(repr((files, meaning)).encode())
    return state.hexdigest()


def _state(path: str) -> tuple:
    try:
        found = os.stat(path)
    except OSError:
        return (path,)  # missing, or on another file backend
    return path, found.st_size, found.st_mtime_ns


def _summary(bad: list[str], count: int) -> str:
    more = [f'... and {len(bad) - _SHOWN} more'] if len(bad) > _SHOWN else []
    if count == 1 or len(bad) == 1:
        return bad[0]
    return '\n'.join([f'{len(bad)} of {count} images cannot be used:', *bad[:_SHOWN], *more])
