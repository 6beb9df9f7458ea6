"""Test a model on a benchmark by the published protocol of a method, chosen by name."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from mmseg_langseg.models.backbones import tower_class

from .benchmark import benchmark_name
from .config_file import read_config
from .resources import resource_folder


def use_protocol(cfg: Config, protocol: str, benchmark: str) -> None:
    """Replace how a config tests on a benchmark with the protocol of a method, in place.

    This sets the resizing of images, the input size of the image tower, sliding windows,
    thresholds and refinement, the prompt templates and the class names. The model and its weights
    stay, so that several methods can be compared in one protocol.

    Args:
        cfg: Config of a language segmentor that tests on the benchmark, see ``use_benchmark``.
        protocol: Name of a file in ``configs/_base_/protocols``, e.g. ``'sclip'``.
        benchmark: Name of the benchmark.

    Raises:
        ValueError: The protocol is unknown or does not define this benchmark, or the model has no
            head that takes class names or another data preprocessor.
    """
    source = _read(protocol)
    name = benchmark_name(benchmark)
    if name not in source.benchmarks:
        raise ValueError(
            f'The protocol {protocol!r} does not define the benchmark {benchmark!r}; expected one '
            f'of {", ".join(source.benchmarks)}.'
        )
    values = source.benchmarks[name]
    _check_model(cfg, protocol)
    model = cfg.model
    model.data_preprocessor.update(source.model.data_preprocessor)
    if 'input_sizes' in source:
        model.data_preprocessor.input_size = _input_size(cfg, protocol, source.input_sizes)
    model.decode_head.update(source.model.decode_head)
    if 'vocabulary' in values:
        model.decode_head.vocabulary = values.vocabulary
    model.test_cfg = {**source.model.test_cfg, **values.get('test_cfg', {})}
    if 'resize' in source:
        step = dict(source.resize)
        step['scale'] = (step['scale'][0], values.get('short_side', step['scale'][1]))
        dataset = cfg.test_dataloader.dataset
        dataset.pipeline = cfg.test_pipeline = _resized(dataset.pipeline, step)
    cfg.pop('tta_pipeline', None)  # no protocol averages views


def list_protocols() -> list[str]:
    """Return the names of the protocols."""
    return [file.stem for file in sorted(_folder().glob('*.py'))]


def _folder() -> Path:
    return resource_folder('configs') / '_base_' / 'protocols'


def _read(protocol: str) -> Config:
    if protocol not in list_protocols():
        raise ValueError(
            f'There is no protocol {protocol!r}; expected one of {", ".join(list_protocols())}.'
        )
    return read_config(_folder() / f'{protocol}.py')


def _check_model(cfg: Config, protocol: str) -> None:
    """Check that a protocol can be applied to the model."""
    head, preprocessor = (cfg.model.get(key) or {} for key in ('decode_head', 'data_preprocessor'))
    if 'text_encoder' not in head or preprocessor.get('type') != 'CLIPDataPreProcessor':
        raise ValueError(
            f'The protocol {protocol!r} needs a model with a decode_head that takes class names '
            f'and a CLIPDataPreProcessor; {cfg.filename} has a {head.get("type")} and a '
            f'{preprocessor.get("type")}.'
        )


def _input_size(cfg: Config, protocol: str, sizes: dict) -> tuple[int, int]:
    backbone = cfg.model.backbone
    tower = backbone.type
    if tower == 'CLIPImageTower':
        tower = tower_class(backbone.get('arch') or cfg.model.clip.arch).__name__
    if tower not in sizes:
        raise ValueError(
            f'The protocol {protocol!r} defines no input size for a {tower}, the backbone of '
            f'{cfg.filename}; expected one of {", ".join(sizes)}.'
        )
    return sizes[tower]


def _resized(pipeline: list[dict], step: dict) -> list[dict]:
    """Return a test pipeline with another step that resizes the image."""
    return [step if 'Resize' in str(old['type']) else old for old in pipeline]
