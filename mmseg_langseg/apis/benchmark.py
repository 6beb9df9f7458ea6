"""Test any model on any benchmark, chosen by name at test time."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from .config_file import read_config

DATASET_CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
# What a dataset config says about the test besides the class prompts.
_KEYS = ('test_dataloader', 'test_evaluator', 'test_pipeline', 'tta_pipeline', 'memory_split')


def use_benchmark(cfg: Config, benchmark: str) -> None:
    """Replace the test of a config by that of a benchmark, in place.

    Dataset, test and TTA pipelines, metrics and class prompts become the benchmark's.

    Args:
        cfg: Config of any segmentor.
        benchmark: Name of a file in ``configs/_base_/datasets``, e.g. ``'ade20k'``, or path of a
            config with a ``test_dataloader``, a ``test_evaluator`` and, optionally, the
            ``vocabulary`` of its class prompts. Without a vocabulary they are the class names of
            the dataset.

    Raises:
        ValueError: There is no such benchmark, or the file tests nothing.
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
    head = cfg.model.get('decode_head')
    if head is not None and 'text_encoder' in head:
        head.vocabulary = source.get('vocabulary')


def list_benchmarks() -> list[str]:
    """Names of the dataset configs that are for testing alone."""
    configs = {file.stem: read_config(file) for file in sorted(DATASET_CONFIGS.glob('*.py'))}
    return [
        name
        for name, cfg in configs.items()
        if 'dataset' in (cfg.get('test_dataloader') or ()) and 'train_dataloader' not in cfg
    ]


def _find(benchmark: str) -> Path:
    if benchmark.endswith('.py'):
        return Path(benchmark)
    path = DATASET_CONFIGS / f'{benchmark}.py'
    if not path.is_file() or path.parent != DATASET_CONFIGS:
        raise ValueError(
            f'There is no benchmark {benchmark!r}; expected one of '
            f'{", ".join(list_benchmarks())}, or a config file.'
        )
    return path
