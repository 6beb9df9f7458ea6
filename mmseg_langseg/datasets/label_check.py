"""Validation of a dataset's label maps before training or testing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmseg.datasets import BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations
from tqdm import tqdm

from mmseg_langseg.fileio import BadFileError, contained_path

from .image_files import image_size
from .label_files import LabelFileError, read_label_file
from .toolbox_labels import ToolboxLabels, is_plain_image_loader, is_toolbox_loader
from .transforms import LoadLabelMap

# Seconds after which the check shows a progress bar.
_PATIENCE = 2
_THREADS = 4
_SHOWN = 5
# Cache of datasets that passed in this process: a test checks before its model is built and once
# more in LabelCheckHook, and a comparison tests on the same files several times.
_checked: set[str] = set()


def check_labels(
    dataset: BaseDataset, rank: int = 0, world_size: int = 1, ignored: int | None = None
) -> None:
    """Validate all label maps of a dataset, so that a bad one stops a run before it starts.

    Datasets whose pipeline has :class:`LoadLabelMap` or MMSegmentation's ``LoadAnnotations`` are
    checked, also inside wrappers such as ``ConcatDataset``. JPEG and PNG images are not decoded;
    only their size and completeness are checked. Files that passed the check in this process and
    have not changed are skipped.

    Args:
        dataset: Dataset to check.
        rank: Index of this process, see ``world_size``.
        world_size: Processes that share the work. They do not wait for each other: if one finds a
            bad file, it exits and its launcher stops the others.
        ignored: Label that the metric ignores, for ``LoadAnnotations``, which assigns no label of
            its own to ignored pixels; None: the ``ignore_index`` of the dataset.

    Raises:
        LabelFileError: Labels or images are missing, damaged, of different sizes, or contain values
            that are neither a class nor ignored, or no pixel is labeled. The message names the
            first files.
        ValueError: The dataset has no label maps, the loader does not match its classes, or a line
            of ``ann_file`` leads out of the folder.
    """
    for part in dataset_parts(dataset):
        _check_list(part)
        loader = find_label_loader(part)
        if loader is not None and not isinstance(loader, LoadLabelMap):
            loader = ToolboxLabels(loader, part.ignore_index if ignored is None else ignored)
        if loader is not None:
            _check(part, loader, rank, world_size)


def find_label_loader(dataset: BaseDataset) -> LoadAnnotations | None:
    """Find the label loader of a dataset's pipeline, also inside ``TestTimeAug``.

    Returns:
        A ``LoadLabelMap`` or MMSegmentation's ``LoadAnnotations``; None without either.
    """
    loaders = (s for s in _steps(dataset) if isinstance(s, LoadLabelMap) or is_toolbox_loader(s))
    return next(loaders, None)


def dataset_parts(dataset: BaseDataset) -> list[BaseDataset]:
    """Return the datasets inside wrappers such as ``ConcatDataset``, or the dataset itself."""
    inner = getattr(dataset, 'datasets', None) or getattr(dataset, 'dataset', None)
    if inner is None:
        return [dataset]
    inner = inner if isinstance(inner, list) else [inner]
    return [part for wrapped in inner for part in dataset_parts(wrapped)]


def _steps(steps: Any) -> Iterator[Any]:
    """The steps of a pipeline, or of a dataset's, without those around them."""
    if isinstance(steps, (list, tuple)):
        for step in steps:
            yield from _steps(step)
        return
    inner = [n for n in ('pipeline', 'transforms', 'subroutines') if hasattr(steps, n)]
    for name in inner:
        yield from _steps(getattr(steps, name))
    if not inner:
        yield steps


def _check_list(dataset: BaseDataset) -> None:
    """Check that the lines of ``ann_file`` stay inside the folders.

    Datasets that read their list themselves may have other rules.
    """
    own = getattr(type(dataset), 'load_data_list', None) is not BaseSegDataset.load_data_list
    if own or not dataset.ann_file:
        return
    dataset.full_init()
    for index in range(len(dataset)):
        sample = dataset.get_data_info(index)
        for key in ('img_path', 'seg_map_path'):
            root = dataset.data_prefix.get(key)
            # Without a folder the lines are whole paths.
            if root and key in sample:
                below = sample[key].removeprefix(os.path.join(root, ''))
                contained_path(root, below, dataset.ann_file)


def _check(
    dataset: BaseDataset, loader: LoadLabelMap | ToolboxLabels, rank: int, world_size: int
) -> None:
    dataset.full_init()
    samples = [_sample(dataset, index) for index in range(rank, len(dataset), world_size)]
    # The toolbox has loaders of other kinds of images, whose size their files may not tell.
    sized = isinstance(loader, LoadLabelMap) or any(map(is_plain_image_loader, _steps(dataset)))
    key = _fingerprint(samples, (loader, sized))
    if key in _checked:
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        looks = pool.map(lambda sample: _look(sample, loader, sized), samples)
        shown = dict(
            unit='image', delay=_PATIENCE, leave=False, disable=None if rank == 0 else True
        )
        found = list(tqdm(looks, desc='Check of labels', total=len(samples), **shown))
    bad = [error for error, _ in found if error]
    if bad:
        raise LabelFileError(_summary(bad, len(samples)))
    if samples and not any(labeled for _, labeled in found):
        _check_others(dataset, loader, rank, world_size)
    _checked.add(key)


def _check_others(
    dataset: BaseDataset, loader: LoadLabelMap | ToolboxLabels, rank: int, world_size: int
) -> None:
    """Make sure that something is labeled in the files of the other processes."""
    everything = range(len(dataset))
    others = (_sample(dataset, index) for index in everything if index % world_size != rank)
    if any(labeled for _, labeled in (_look(sample, loader, False) for sample in others)):
        return
    samples = [_sample(dataset, index) for index in everything]
    values: set[int] = set()
    for sample in samples:
        values.update(np.unique(read_label_file(sample['seg_map_path'], None, loader.backend_args)))
    more = f' and {len(values) - _SHOWN} other values' if len(values) > _SHOWN else ''
    raise LabelFileError(
        f'no labeled pixel in {len(samples)} label maps, the first: {samples[0]["seg_map_path"]}; '
        f'they hold {", ".join(map(str, sorted(values)[:_SHOWN]))}{more}, and all of it is '
        'ignored; expected the index of a class in some pixels: convert the label maps again, or '
        'correct what the dataset ignores (ignore_index, label_mapping, reduce_zero_label)'
    )


def _sample(dataset: BaseDataset, index: int) -> dict:
    sample = dataset.get_data_info(index)
    if sample.get('seg_map_path') is None:
        raise ValueError(
            f'{type(dataset).__name__} has no label maps; expected a folder in '
            'data_prefix.seg_map_path; to test on images without labels, remove LoadLabelMap or '
            'LoadAnnotations from the pipeline and set format_only=True in the metric'
        )
    sample.setdefault('num_classes', len(dataset.metainfo.get('classes') or ()) or None)
    return sample


def _look(
    sample: dict, loader: LoadLabelMap | ToolboxLabels, sized: bool
) -> tuple[str | None, bool]:
    """Return the error of a sample, if any, and whether it has labeled pixels."""
    try:
        if sized:
            sample['ori_shape'] = image_size(sample['img_path'], loader.backend_args)
        labels = loader.transform(sample)['gt_seg_map']
        return None, bool((labels != loader.ignore_index).any())
    except BadFileError as error:
        return str(error), False
    finally:
        sample.pop('gt_seg_map', None)


def _fingerprint(samples: list[dict], rules: tuple) -> str:
    """Compute a hash that changes with the files and with the meaning of their values."""
    state = hashlib.sha256(repr(rules).encode())
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
