"""Early checks of a config, before a model is built or weights are downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .resources import documentation_page

TEST_MARK = '_test-'


def check_can_train(cfg: Config) -> None:
    """Check that a config defines a training.

    Raises:
        ValueError: It has no training data, loop or optimizer; the message suggests other configs.
    """
    _check_keys(cfg, ('train_dataloader', 'train_cfg', 'optim_wrapper'), 'train', testing=False)


def check_can_test(cfg: Config) -> None:
    """Check that a config defines a test.

    Raises:
        ValueError: It has no test data, loop or metric; the message suggests other configs.
    """
    _check_keys(cfg, ('test_dataloader', 'test_cfg', 'test_evaluator'), 'test', testing=True)


def _check_keys(cfg: Config, keys: tuple[str, ...], what: str, testing: bool) -> None:
    missing = [key for key in keys if cfg.get(key) is None]
    if not missing:
        return
    others = _siblings(cfg, testing)
    hint = f' Configs in the same folder that {what}: {", ".join(others)}.' if others else ''
    raise ValueError(
        f'The config {cfg.filename or ""} cannot {what}: it has no {", no ".join(missing)}.{hint}'
    )


def _siblings(cfg: Config, testing: bool, most: int = 5) -> list[str]:
    """Configs of the same tower, ``TOWER_test-DATA.py`` or ``TOWER_DATA.py``; same data first."""
    if not cfg.filename:
        return []
    path = Path(cfg.filename)
    tower, _, data = path.stem.replace(TEST_MARK, '_').partition('_')
    found = [
        file
        for file in sorted(path.parent.glob(f'{tower}_*.py'))
        if (TEST_MARK in file.stem) == testing and file != path
    ]
    same = [file for file in found if file.stem.replace(TEST_MARK, '_') == f'{tower}_{data}']
    return [str(file) for file in same or found[:most]]


def check_folders(cfg: Config, *loaders: str) -> None:
    """Check that the folders and files of datasets exist.

    Wrapped datasets are included; data in tar archives, on servers and rendered data are skipped.

    Args:
        cfg: The config.
        loaders: Keys of dataloaders; missing ones are skipped.

    Raises:
        FileNotFoundError: Data are missing; the message lists all of them and the keys to change.
    """
    missing = []
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        for key, one in datasets_of(dataset, f'{loader}.dataset'):
            missing += [f'{path} ({key})' for path in _missing_paths(one)]
    if missing:
        raise FileNotFoundError(
            f'Data of the config are missing: {", ".join(missing)}. '
            f'{documentation_page("data.md")} shows the expected folders; '
            '--cfg-options KEY.data_root=FOLDER sets another root.'
        )


def datasets_of(value: Any, key: str) -> Iterator[tuple[str, Mapping]]:
    """Yield the innermost datasets of wrappers, each with its dotted key."""
    if isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield from datasets_of(one, f'{key}.{index}')
    elif isinstance(value, Mapping):
        inner = [name for name in ('dataset', 'datasets') if name in value]
        for name in inner:
            yield from datasets_of(value[name], f'{key}.{name}')
        if not inner:
            yield key, value


def _missing_paths(dataset: Mapping) -> list[str]:
    root = dataset.get('data_root') or ''
    prefix = dataset.get('data_prefix') or {}
    if not all(isinstance(value, str) for value in (root, *prefix.values())) or '://' in root:
        return []
    if root and not Path(root).is_dir():
        return [root]
    names = [name for key, name in prefix.items() if key == 'img_path' or _reads(dataset, key)]
    names.append(dataset.get('ann_file') or '')
    return [
        str(Path(root, name))
        for name in names
        if isinstance(name, str) and '://' not in name and not Path(root, name).exists()
    ]


def _reads(dataset: Mapping, key: str) -> bool:
    """Whether the pipeline reads a folder; label folders may be missing if it loads no labels."""
    steps = [str(step.get('type')) for step in dataset.get('pipeline') or ()]
    return key != 'seg_map_path' or any(
        kind in step for step in steps for kind in ('LoadAnnotations', 'LoadLabelMap')
    )


def check_output_folder(path: str, name: str) -> None:
    """Check that a folder exists or can be created.

    Raises:
        NotADirectoryError: ``path`` or a folder above it is a file.
    """
    for folder in (Path(path), *Path(path).parents):
        if folder.exists():
            if not folder.is_dir():
                raise NotADirectoryError(
                    f'{name} {str(path)!r} cannot be a folder: {str(folder)!r} is a file.'
                )
            return
