"""Test any model on any benchmark, chosen by name at test time."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from .config_file import read_config
from .resources import resource_folder

# Keys of a dataset config that define the test, besides the class prompts.
_KEYS = ('test_dataloader', 'test_evaluator', 'test_pipeline', 'tta_pipeline', 'memory_split')


def use_benchmark(cfg: Config, benchmark: str) -> None:
    """Replace the test settings of a config with those of a benchmark, in place.

    This sets the dataset, the test and TTA pipelines, the metrics and the class prompts, and adds
    the ``test_hooks`` of the benchmark.

    Args:
        cfg: Config of any segmentor.
        benchmark: Name of a file in ``configs/_base_/datasets``, e.g. ``'ade20k'``, where the
            prefix ``pascal_`` may be left out (``'voc20'``), or path of a config with a
            ``test_dataloader``, a ``test_evaluator`` and, optionally, the ``vocabulary`` of its
            class prompts. Without a vocabulary, the class names of the dataset are used.

    Raises:
        ValueError: The benchmark is unknown, or the file defines no test.
        FileNotFoundError: There is no such file.
    """
    source = read_config(_find(benchmark))
    missing = [key for key in ('test_dataloader', 'test_evaluator') if source.get(key) is None]
    if missing:
        raise ValueError(
            f'The benchmark {benchmark!r} has no {" and no ".join(missing)}; expected one of '
            f'{", ".join(list_benchmarks())}, or a config file that has both.'
        )
    for key in _KEYS:
        cfg.pop(key, None)
        if source.get(key) is not None:
            cfg[key] = source[key]
    cfg.test_cfg = dict(type='TestLoop')
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), *source.get('test_hooks', [])]
    head = cfg.model.get('decode_head')
    if head is not None and 'text_encoder' in head:
        head.vocabulary = source.get('vocabulary')


def dataset_configs() -> Path:
    """Return the folder of the dataset configs of this package."""
    return resource_folder('configs') / '_base_' / 'datasets'


def list_benchmarks() -> list[str]:
    """Return the names of the dataset configs that are used for testing only."""
    configs = {file.stem: read_config(file) for file in sorted(dataset_configs().glob('*.py'))}
    return [
        name
        for name, cfg in configs.items()
        if 'dataset' in (cfg.get('test_dataloader') or ()) and 'train_dataloader' not in cfg
    ]


def benchmark_name(benchmark: str) -> str:
    """Return the full name of a benchmark: ``'pascal_voc20'`` for ``'voc20'``."""
    full = f'pascal_{benchmark}'
    return full if (dataset_configs() / f'{full}.py').is_file() else benchmark


def _find(benchmark: str) -> Path:
    if benchmark.endswith('.py'):
        return Path(benchmark)
    path = dataset_configs() / f'{benchmark_name(benchmark)}.py'
    if not path.is_file() or path.parent != dataset_configs():
        raise ValueError(
            f'There is no benchmark {benchmark!r}; expected one of '
            f'{", ".join(list_benchmarks())}, or a config file.'
        )
    return path
