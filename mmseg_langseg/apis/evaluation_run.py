"""Evaluate several models on several benchmarks; interrupted runs resume."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import barrier
from mmseg.registry import MODELS

from mmseg_langseg.fileio import parse_json
from mmseg_langseg.models.backbones import tower_class
from mmseg_langseg.version import __version__

from .benchmark import benchmark_name
from .evaluation_options import EvaluationOptions
from .launch import check_checkpoint, load_config
from .model_zoo import model_config
from .test import run_test
from .test_changes import classified_masks

_PACKAGES = ('torch', 'open_clip_torch', 'timm', 'numpy', 'onedl-mmsegmentation', 'mmsegmentation')
_BLOCK = 2**20


@dataclass(frozen=True)
class EvaluatedModel:
    """Model of an evaluation.

    Attributes:
        name: Name in tables and file names.
        config: Short name, see ``list_models``, or config file.
        weights: Checkpoint; None tests the untrained model.
    """

    name: str
    config: str
    weights: str | None = None

    @classmethod
    def parse(cls, text: str) -> EvaluatedModel:
        """Parse ``[NAME:]CONFIG[=WEIGHTS]``.

        Raises:
            ValueError: The text has another form.
        """
        left, _, weights = text.partition('=')
        name, colon, config = left.partition(':')
        config = config if colon else name
        if not name or not config or ('=' in text and not weights):
            raise ValueError(f'model {text!r}; expected [NAME:]CONFIG[=WEIGHTS].')
        name = name if colon else Path(config).with_suffix('').as_posix().replace('/', '-')
        if weights and not colon:
            name = f'{name}-{Path(weights).stem}'
        return cls(name, config, weights or None)


def evaluate_all(
    models: Sequence[EvaluatedModel],
    benchmarks: Sequence[str],
    out_dir: str | Path,
    protocol: str | None = None,
    cfg_options: dict[str, Any] | None = None,
    launcher: str = 'none',
    say: Callable[[str], None] = print,
    options: EvaluationOptions | None = None,
) -> list[dict[str, Any]]:
    """Test each model on each benchmark, in one process group.

    Each test writes ``out_dir/results/MODEL/BENCHMARK.json`` (see ``TestRecordHook``) when it is
    complete; a repeated run only tests what has no such file, or one of other settings.

    Args:
        models: Models with different names.
        benchmarks: See ``use_benchmark``.
        out_dir: Output folder; logs are in ``out_dir/logs``.
        protocol: See ``use_protocol``; None: the protocol of each benchmark's config.
        cfg_options: Dotted keys and values that override all configs.
        launcher: See ``run_test``.
        say: Called with a line before each test.
        options: Masks, metrics and corruptions of all tests.

    Returns:
        The records, model after model.

    Raises:
        FileNotFoundError: A config, checkpoint or dataset does not exist.
        ValueError: Two models have the same name, or see ``run_test``.
    """
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'two models are called {twice[0]!r}; name them, e.g. first:{twice[0]}.')
    tests = []
    for model in models:  # errors in options before the first test
        if model.weights is not None:
            check_checkpoint(model.weights)
        for benchmark in benchmarks:
            tests.append(
                (model, benchmark, _config(model, benchmark, protocol, cfg_options, options))
            )
    records = []
    for number, (model, benchmark, cfg) in enumerate(tests, 1):
        path = Path(out_dir, 'results', model.name, f'{benchmark_name(benchmark)}.json')
        record = _record(model, benchmark, protocol, cfg)
        stored = _stored(path, record)
        if stored is None:
            say(f'[{number}/{len(tests)}] {model.name} on {benchmark_name(benchmark)}')
            hook = dict(type='TestRecordHook', path=str(path), record=record)
            cfg.custom_hooks = [*cfg.get('custom_hooks', []), hook]
            logs = Path(out_dir, 'logs', model.name, benchmark_name(benchmark))
            run_test(cfg, model.weights, str(logs), launcher=launcher)
            barrier()
            stored = parse_json(path.read_bytes(), f"'{path}'")
        records.append(stored)
    return records


def _config(
    model: EvaluatedModel,
    benchmark: str,
    protocol: str | None,
    cfg_options: dict[str, Any] | None,
    options: EvaluationOptions | None,
) -> Config:
    config = model_config(model.config, model.weights)
    return load_config(config, None, cfg_options, 'none', benchmark, protocol, options)


def _record(
    model: EvaluatedModel, benchmark: str, protocol: str | None, cfg: Config
) -> dict[str, Any]:
    """Return what a result depends on."""
    settings = dict(
        model=cfg.model.to_dict(),
        dataset=cfg.test_dataloader.dataset.to_dict(),
        evaluator=cfg.test_evaluator,
        hooks=cfg.get('custom_hooks'),
    )
    text = json.dumps(settings, sort_keys=True, default=str)
    return dict(
        name=model.name,
        config=str(model.config),
        weights=model.weights,
        weights_sha256=None if model.weights is None else _sha256(model.weights),
        benchmark=benchmark_name(benchmark),
        protocol=protocol or 'of the benchmark',
        settings=hashlib.sha256(text.encode()).hexdigest()[:12],
        **_shown_settings(cfg),
        device=_device(),
        versions=versions(),
    )


def _shown_settings(cfg: Config) -> dict[str, Any]:
    """Return the settings that a table shows."""
    model, steps = cfg.model, cfg.test_dataloader.dataset.get('pipeline', [])
    head, tower = model.get('decode_head') or {}, model.get('backbone') or {}
    clip = model.get('clip') or {}
    corruption = next((step for step in steps if step['type'] == 'Corrupt'), None)
    resize = [step.get('scale') for step in steps if 'Resize' in str(step['type'])]
    return dict(
        tower=str(clip.get('arch', tower.get('arch', tower.get('type')))),
        pretrained=clip.get('pretrained', tower.get('pretrained')),
        readout=_readout(tower, clip),
        template_set=head.get('templates', 'imagenet_select') if 'text_encoder' in head else None,
        class_names=head.get('vocabulary') or 'of the dataset',
        image_scale=resize[0] if resize else None,
        input_size=(model.get('data_preprocessor') or {}).get('input_size'),
        test_cfg=dict(model.get('test_cfg') or {}),
        masks=classified_masks(cfg),
        corruption=corruption and '{corruption}, severity {severity}'.format(**corruption),
    )


def _readout(tower: dict[str, Any], clip: dict[str, Any]) -> Any:
    """Return the read-out of an image tower: that of the config, or the default of its class."""
    kind, arch = tower.get('type'), tower.get('arch', clip.get('arch'))
    if 'readout' in tower or kind is None:
        return tower.get('readout')
    kind = tower_class(arch) if kind == 'CLIPImageTower' else MODELS.get(kind)
    option = inspect.signature(kind).parameters.get('readout')
    return None if option is None else option.default or 'of the model'


def _stored(path: Path, record: dict[str, Any]) -> dict[str, Any] | None:
    """Return a complete record of the same test, None if there is none."""
    if not path.is_file():
        return None
    stored = parse_json(path.read_bytes(), f"'{path}'")
    same = all(stored.get(key) == record[key] for key in ('settings', 'weights_sha256', 'protocol'))
    return stored if same and 'metrics' in stored else None


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'CPU ({platform.machine()}, {torch.get_num_threads()} threads)'


def versions() -> dict[str, str]:
    """Return the versions of this package and of those that results depend on."""
    versions = {'mmseg_langseg': __version__}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    command = ['git', '-C', str(Path(__file__).parent), 'rev-parse', '--short', 'HEAD']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        if done.returncode == 0:
            versions['commit'] = done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        pass
    return versions
