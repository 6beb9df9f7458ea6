"""Adapt a model to photos without labels, and keep the better of trained and zero-shot CLIP."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmseg_langseg.apis.config_checks import check_output_folder
from mmseg_langseg.apis.masked_photos import MaskedPhotos, find_masked_photos
from mmseg_langseg.apis.rejection import add_contrast
from mmseg_langseg.apis.texts import parse_texts
from mmseg_langseg.apis.train import run_training
from mmseg_langseg.apis.training_lock import training_lock
from mmseg_langseg.fileio import open_image_source, parse_json, write_whole_file
from mmseg_langseg.masks.runs import GenerationManifest
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.verdict import UNINFORMED

from .adaptation import Adaptation, Judged, best_untrained
from .candidate import ZERO_SHOT, Candidate
from .held_out import in_random_order, split_photos
from .measurements import CENTER, Measurements
from .report import write_report
from .training_config import inference_config, set_data, snapshot_iterations, training_config

_PACKAGES = ('torch', 'numpy', 'open_clip_torch', 'timm')
CENTERED_ON = 200
"""Maximum number of training photos that a model is centered on."""


def adapt(
    folder: str | os.PathLike,
    texts: str | os.PathLike | Sequence[str] | Vocabulary,
    out: str | os.PathLike,
    model: str = 'clip-vit-b16',
    masks: str | os.PathLike | None = None,
    iterations: int | None = None,
    batch_size: int | None = None,
    held_out: float | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> Adaptation:
    """Train a model on photos without labels, and judge without labels whether it helped.

    Part of the photos is held out. Zero-shot CLIP and the weights of ten moments of the training,
    each also centered on photos of the training, are compared on it (see
    :func:`mmseg_langseg.verdict.compare`). The best is chosen if it is better with confidence,
    otherwise zero-shot CLIP is. The same call resumes an interrupted run.

    Args:
        folder: Folder of photos, searched recursively.
        texts: Class names, see :meth:`Vocabulary.parse`.
        out: Output folder: ``report.html``, ``verdict.json``, ``adapted.py`` (config of the chosen
            model), ``candidates/`` (weights), and what interrupted runs resume from.
        model: Short name of ``model_zoo.PHOTO_CONFIGS``, or config file.
        masks: Folder of mask files in SA-1B's JSON format; None: generate them in ``out/masks``.
        iterations: Length of the training; None: that of the config.
        batch_size: Images per step; None: that of the config.
        held_out: Share of the photos that are held out, see :func:`split_photos`.
        cfg_options: Dotted keys and values that override the config.
        say: Called with lines about the progress.
        progress: Show progress bars.

    Raises:
        FileNotFoundError: The folder, the masks or the config do not exist.
        RuntimeError: Another process works in ``out``.
        SystemExit: The training got SIGTERM; the same call continues it.
        ValueError: There are too few photos, ``out`` holds a run with other settings or is in
            ``folder``, or an option is wrong.
    """
    folder, out = Path(folder), Path(out)
    vocabulary = parse_texts(texts)
    compared = add_contrast(vocabulary)
    cfg = training_config(model, vocabulary, iterations, batch_size, cfg_options)
    _check_folders(folder, out)
    settings = _settings(folder, vocabulary, model, masks, held_out, cfg_options, cfg)
    with training_lock(out, option='--out'):
        found, held, trained = _photos(folder, masks, out, held_out, settings, progress)
        for name, reason in found.unusable:
            say(f'left out: {name}: {reason}')
        say(f'{len(trained)} photos to train on, {len(held)} held out to compare models on')
        # The photos are data, not part of the model that the report and adapted.py show.
        training = cfg.copy()
        set_data(training, folder, found.masks, trained, out / 'training', out / 'candidates')
        note = _train(training, out, say)
        measurements = Measurements(
            cfg,
            compared,
            lambda: found.photos(held),
            lambda: found.photos(in_random_order(trained)[:CENTERED_ON]),
            out / 'measurements',
            say,
        )
        weights = (out / 'candidates').resolve()
        judged = _judge(_candidates(cfg, weights), weights, measurements)
        unknown = None
        if not measurements.judgment().informed:
            unknown = UNINFORMED
            say(unknown)
        chosen = choose(judged)
        untrained, training = best_untrained(judged), None
        if chosen.candidate.weights is not None and untrained is not judged[0]:
            training = measurements.compare(untrained.candidate, chosen.candidate)
        write_whole_file(out / 'adapted.py', _adapted_config(cfg, chosen, settings).encode())
        result = Adaptation(
            chosen=chosen,
            judged=judged,
            command=_command(folder, texts, vocabulary, out, chosen.candidate),
            held_out=held,
            trained=trained,
            unusable=found.unusable,
            settings=settings,
            notes=[one for one in (note, unknown) if one],
            training=training,
        )
        write_whole_file(out / 'verdict.json', json.dumps(result.as_json(), indent=1).encode())
        write_report(out / 'report.html', result, measurements, found.photos(held))
    return result


def choose(judged: Sequence[Judged]) -> Judged:
    """Choose the model to use.

    Args:
        judged: The candidates; the first one is zero-shot CLIP.

    Returns:
        Of the candidates whose whole interval is above zero, the one with the highest lower end;
        zero-shot CLIP if there is none.
    """
    better = [one for one in judged[1:] if one.verdict.decision == 'better']
    return max(better, key=lambda one: one.verdict.low, default=judged[0])


def _check_folders(folder: Path, out: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder of photos '{folder}'.")
    check_output_folder(str(out), 'The output folder')
    inside = out.resolve()
    if folder.resolve() in (inside, *inside.parents):
        raise ValueError(
            f"The output '{out}' is in the folder of photos '{folder}': nothing was written; give "
            'another folder with --out.'
        )


def _settings(
    folder: Path,
    vocabulary: Vocabulary,
    model: str,
    masks: str | os.PathLike | None,
    held_out: float | None,
    cfg_options: Mapping[str, Any] | None,
    cfg: Config,
) -> dict[str, Any]:
    """Return all that a result depends on, as JSON types."""
    names = open_image_source(folder).names
    split_photos(names, held_out)  # too few images are reported before masks are generated
    return dict(
        photos=os.path.abspath(folder),
        names=f'{len(names)} images ({_hash(names)})',
        masks='generated' if masks is None else os.path.abspath(masks),
        texts=[list(words) for words in vocabulary.rows],
        model=model,
        iterations=cfg.train_cfg.max_iters,
        batch_size=cfg.train_dataloader.batch_size,
        held_out=held_out,
        cfg_options={key: str(value) for key, value in (cfg_options or {}).items()},
        config=_hash(cfg.to_dict()),
    )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _photos(
    folder: Path,
    masks: str | os.PathLike | None,
    out: Path,
    held_out: float | None,
    settings: dict[str, Any],
    progress: bool,
) -> tuple[MaskedPhotos, list[str], list[str]]:
    """Return the photos with masks, and the names of the held-out ones and of the others.

    The first file of a run is the record of its settings, so that wrong masks leave no trace.
    """
    manifest, stored = GenerationManifest(out), out / 'photos.json'
    results = [stored, *(out / name for name in ('adapted.py', 'verdict.json', 'report.html'))]
    if masks is None or stored.is_file():
        manifest.start(settings, _PACKAGES, results)
    if stored.is_file():
        known = parse_json(stored.read_bytes(), f"'{stored}'")
        held, trained, unusable = (known[key] for key in ('held_out', 'trained', 'unusable'))
        mask_folder = out / 'masks' if masks is None else Path(masks)
        names = sorted([*held, *trained])
        return MaskedPhotos(open_image_source(folder), mask_folder, names, unusable), held, trained
    found = find_masked_photos(folder, masks, out / 'masks', progress=progress)
    held, trained = split_photos(found.names, held_out)
    manifest.start(settings, _PACKAGES, results)
    content = dict(held_out=held, trained=trained, unusable=found.unusable)
    write_whole_file(stored, json.dumps(content, indent=1).encode())
    return found, held, trained


def _train(cfg: Config, out: Path, say: Callable[[str], None]) -> str | None:
    """Train unless the training has ended; return what went wrong."""
    ended = out / 'training' / 'ended.json'
    if not ended.is_file():
        note = None
        say(f'training of {cfg.train_cfg.max_iters} iterations ...')
        try:
            run_training(cfg, str(out / 'training'), resume=True)
        except FloatingPointError as error:
            # Zero-shot CLIP and the weights before this are still there to choose from.
            note = f'The training ended early: {error}'
        write_whole_file(ended, json.dumps(dict(note=note)).encode())
    note = parse_json(ended.read_bytes(), f"'{ended}'")['note']
    if note:
        say(note)
    return note


def _candidates(cfg: Config, folder: Path) -> list[Candidate]:
    """Return zero-shot CLIP and the weights of the training; a failed training has fewer."""
    files = {n: folder / f'iter_{n}.pth' for n in snapshot_iterations(cfg)}
    trained = [
        Candidate(f'iteration {n}', str(file)) for n, file in files.items() if file.is_file()
    ]
    return [Candidate(ZERO_SHOT), *trained]


def _judge(plain: Sequence[Candidate], folder: Path, measurements: Measurements) -> list[Judged]:
    """Judge candidates, each as it is and centered.

    Args:
        plain: The candidates, zero-shot CLIP first.
        folder: Folder for the mean features.
        measurements: Measures the candidates.
    """
    judged = []
    for candidate in plain:
        path = folder / f'{candidate.file_stem}_center.npy'
        for one in (candidate, measurements.centered(candidate, path)):
            judged.append(Judged(one, measurements.compare(plain[0], one)))
    return judged


def _adapted_config(cfg: Config, chosen: Judged, settings: Mapping[str, Any]) -> str:
    """Return the config of the chosen model, which may be moved together with its files."""
    options = dict(chosen.candidate.cfg_options)
    if CENTER in options:
        options[CENTER] = f'{{{{ fileDirname }}}}/candidates/{Path(options[CENTER]).name}'
    short = inference_config(cfg, replace(chosen.candidate, cfg_options=options))
    for key in ('launcher', 'work_dir'):
        short.pop(key)
    title = f"# Model chosen by 'langseg adapt': {chosen.candidate.name}, of {settings['model']!r}."
    return f'{title}\n{short.pretty_text}'


def _command(
    folder: Path,
    texts: str | os.PathLike | Sequence[str] | Vocabulary,
    vocabulary: Vocabulary,
    out: Path,
    chosen: Candidate,
) -> str:
    """Return the command that segments photos with the chosen model."""
    if not isinstance(texts, (str, os.PathLike)):
        texts = '; '.join(', '.join(words) for words in vocabulary.rows)
    words = ['langseg', 'segment', str(folder), '--texts', os.fspath(texts)]
    words += ['--model', str(out / 'adapted.py')]
    if chosen.weights is not None:
        words += ['--weights', str(out / 'candidates' / Path(chosen.weights).name)]
    return shlex.join([*words, '--out', str(out / 'segmented')])
