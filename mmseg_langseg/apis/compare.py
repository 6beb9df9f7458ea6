"""Compare configs and zero-shot CLIP under one protocol: plain and centered logits."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmseg_langseg.fileio import parse_json, write_whole_file

from .launch import load_config
from .resume import check_replaces_no_checkpoint, earlier_checkpoints
from .test import run_test
from .train import run_training
from .training_lock import run_lock


@dataclass(frozen=True)
class ComparisonRow:
    """One row of a comparison table.

    Attributes:
        name: Name of the tested model.
        raw: mIoU in percent with plain logits.
        centered: mIoU in percent after per-class centering on unlabeled training images.
        seconds: Training time, 0 for an untrained model.
        checkpoint: Path of the trained weights, None for an untrained model.
        groups: With a ``KnownUnknownIoUMetric``: for ``raw`` and ``centered`` logits, the mIoU of
            the ``known`` and ``unknown`` classes and their ``harmonic`` mean, in percent.
    """

    name: str
    raw: float
    centered: float
    seconds: float
    checkpoint: str | None = None
    groups: dict[str, dict[str, float]] | None = None


def test_both(
    config: str | Path | Config,
    checkpoint: str | None,
    work_dir: str,
    cfg_options: dict[str, Any] | None = None,
) -> tuple[dict[str, float], dict[str, float]]:
    """Test a model with plain and with centered logits.

    ``centering_dataset`` in the config defines the unlabeled images for the mean logits.

    Returns:
        The metrics of both tests, in percent.
    """
    scores = []
    for centered in (False, True):
        cfg = load_config(config, work_dir, cfg_options)
        if centered:
            hook = dict(type='LogitCenteringHook', dataset=cfg.centering_dataset)
            cfg.custom_hooks = [*cfg.get('custom_hooks', []), hook]
        scores.append(run_test(cfg, checkpoint))
    return scores[0], scores[1]


# A name of the API, not a test that pytest should collect.
test_both.__test__ = False


def compare_untrained(
    name: str,
    config: str | Path | Config,
    work_dir: str,
    cfg_options: dict[str, Any] | None = None,
) -> ComparisonRow:
    """Test the untrained model of a config, i.e. zero-shot CLIP, or read a stored row."""
    return _once(name, work_dir, lambda: (None, 0.0), config, cfg_options)


def compare_trained(
    name: str,
    config: str | Path | Config,
    work_dir: str,
    cfg_options: dict[str, Any] | None = None,
) -> ComparisonRow:
    """Train and test the model of a config, or read a stored row."""

    def train() -> tuple[str, float]:
        start = time.time()
        runner = run_training(config, work_dir, cfg_options=cfg_options)
        return str(Path(work_dir) / f'iter_{runner.max_iters}.pth'), time.time() - start

    return _once(name, work_dir, train, config, cfg_options)


def compare_weights_of(
    row: ComparisonRow,
    name: str,
    config: str | Path | Config,
    work_dir: str,
    cfg_options: dict[str, Any] | None = None,
) -> ComparisonRow:
    """Test the weights of a trained row with other options, or read a stored row."""
    return _once(name, work_dir, lambda: (row.checkpoint, row.seconds), config, cfg_options)


def seed_options(
    clip: str, seed: int, split: str, cfg_options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the options that compare all configs with the bundled CLIP of a seed.

    Args:
        clip: Weights with ``{seed}`` in their name, e.g. ``embedded:clip_resnet_tiny_seed{seed}``.
        seed: Seed of the CLIP and of the training.
        split: Split of the test.
        cfg_options: Further options, which override these.
    """
    return {
        'model.clip.pretrained': clip.format(seed=seed),
        'randomness.seed': seed,
        'test_dataloader.dataset.split': split,
        **(cfg_options or {}),
    }


def settings_key(
    config: str | Path | Config, work_dir: str, cfg_options: dict[str, Any] | None = None
) -> str:
    """Return a short hash of the whole config with its options."""
    text = load_config(config, work_dir, cfg_options).pretty_text
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stored_row(
    name: str,
    config: str | Path | Config,
    work_dir: str,
    cfg_options: dict[str, Any] | None = None,
) -> ComparisonRow | None:
    """Read a finished row of a work directory, None if there is none.

    Raises:
        ValueError: The row was measured with other settings.
    """
    stored = _stored(work_dir)
    key = stored.pop('settings', None)
    if not stored:
        return None
    if key != settings_key(config, work_dir, cfg_options):
        raise ValueError(
            f'{_row_file(work_dir)} was measured with other settings than {name!r} has now: use '
            'another work directory, or remove the file.'
        )
    return ComparisonRow(**stored)


def _row_file(work_dir: str) -> Path:
    return Path(work_dir) / 'row.json'


def _stored(work_dir: str) -> dict[str, Any]:
    file = _row_file(work_dir)
    return parse_json(file.read_bytes(), f"'{file}'") if file.is_file() else {}


def _once(name, work_dir, train, config, cfg_options) -> ComparisonRow:
    """Compute a row unless it is stored, so that interrupted comparisons resume.

    The file of an unfinished row holds its settings only.
    """
    if (row := stored_row(name, config, work_dir, cfg_options)) is not None:
        return row
    file, key = _row_file(work_dir), settings_key(config, work_dir, cfg_options)
    is_same = _stored(work_dir).get('settings') == key
    cfg = load_config(config, work_dir, cfg_options)
    with run_lock(cfg):
        # An interrupted training starts anew, as its time is measured.
        for path in earlier_checkpoints(cfg) if is_same else []:
            path.unlink()
        check_replaces_no_checkpoint(cfg)
        write_whole_file(file, json.dumps({'settings': key}).encode())
    checkpoint, seconds = train()
    raw, centered = test_both(config, checkpoint, work_dir, cfg_options)
    row = ComparisonRow(
        name,
        float(raw['mIoU']),
        float(centered['mIoU']),
        seconds,
        checkpoint,
        dict(raw=_groups(raw), centered=_groups(centered)) if 'hIoU' in raw else None,
    )
    write_whole_file(file, json.dumps({**asdict(row), 'settings': key}).encode())
    return row


def _groups(metrics: dict[str, float]) -> dict[str, float]:
    keys = dict(known='mIoU_known', unknown='mIoU_unknown', harmonic='hIoU')
    return {name: float(metrics[key]) for name, key in keys.items()}
