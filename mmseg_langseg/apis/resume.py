"""Checkpoints of a work folder: find the one to resume from, and protect earlier ones."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

from mmseg_langseg.fileio import read_checkpoint, trusted_checkpoint

from .launch import check_checkpoint

LAST = 'last_checkpoint'


def given_checkpoint(path: str, cfg: Config, trust: bool = False) -> str:
    """Return ``path`` if a training can be resumed from it; URLs are not checked.

    Args:
        path: Checkpoint.
        cfg: Config of the training.
        trust: Unpickle the file without restrictions, see :func:`trusted_checkpoint`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty, truncated, not a checkpoint, holds more than data or only weights.
    """
    check_checkpoint(path)
    if '://' not in path:
        try:
            _check(path, cfg, trust)
        except ValueError as error:
            raise ValueError(
                f'{str(error).rstrip(".")}. To resume, give a checkpoint written by a training, or '
                '--resume without a value for the newest one of the work folder; to start a new '
                'training from weights, give them as load_from in --cfg-options.'
            ) from error
    return path


def newest_checkpoint(cfg: Config, trust: bool = False) -> tuple[str | None, list[str]]:
    """Find the newest checkpoint in the work folder that a training can be resumed from.

    The one named in ``last_checkpoint`` comes first, regardless of the folder given there: a moved
    or copied work folder resumes from its own files. The others follow, latest iteration first. If
    the config saves to a storage other than a local disk, only MMEngine's own record is used.

    Returns:
        Its path, or None if the folder holds no checkpoint; and the reasons for skipped ones.

    Raises:
        ValueError: The folder holds checkpoints, but none of them is usable.
    """
    if _is_remote(cfg):
        return find_latest_checkpoint(cfg.work_dir), []
    names, skipped = _candidates(cfg)
    folder = checkpoint_folder(cfg)
    for name in names:
        path = str(folder / name)
        try:
            _check(path, cfg, trust)
        except ValueError as error:
            skipped.append(str(error).rstrip('.'))
        else:
            return path, skipped
    if names:
        raise ValueError(
            f"No checkpoint in '{folder}' can be resumed from: {'; '.join(skipped)}. Resume from "
            'another file with --resume FILE, or start a new training in another --work-dir.'
        )
    return None, skipped


def take_seed(cfg: Config, checkpoint: str, trust: bool = False) -> str | None:
    """Set the seed of a resumed training to that of its checkpoint, before its data are loaded.

    MMEngine sets it once the data loader exists, whose order of samples would be another one. URLs
    are not read: their trainings need ``randomness.seed`` in the config.

    Args:
        cfg: Config of the training; changed in place.
        checkpoint: Checkpoint to resume from.
        trust: Unpickle the file without restrictions, see :func:`trusted_checkpoint`.

    Returns:
        A note for the log if the config has another seed.
    """
    if '://' in checkpoint:
        return None
    with trusted_checkpoint(checkpoint if trust else None):
        seed = read_checkpoint(checkpoint, mmap=True)['meta'].get('seed')
    if seed is None:
        return None
    randomness = dict(cfg.get('randomness') or {})
    given = randomness.get('seed')
    cfg.randomness = dict(randomness, seed=seed)
    if given is None or given == seed:
        return None
    return f'The training continues with the seed {seed} of its checkpoint, not {given}.'


def earlier_checkpoints(cfg: Config) -> list[Path]:
    """List the checkpoints that a new training would replace, including the best ones.

    For remote storage, this is the local file that names the last checkpoint.
    """
    if _is_remote(cfg):
        return [path for path in [Path(cfg.work_dir, LAST)] if path.is_file()]
    folder, pattern = checkpoint_folder(cfg), re.compile(f'(?:best_.+_)?{_pattern(cfg)}')
    names = sorted(filter(pattern.fullmatch, os.listdir(folder) if folder.is_dir() else []))
    return [folder / name for name in names]


def check_replaces_no_checkpoint(cfg: Config) -> None:
    """Check that a training replaces no checkpoints but those it resumes from.

    Args:
        cfg: Config of the training; with its final ``resume`` and ``load_from``.

    Raises:
        FileExistsError: There are checkpoints that the training would replace.
    """
    earlier, start = earlier_checkpoints(cfg), cfg.get('load_from')
    folder = checkpoint_folder(cfg)
    if not earlier or (cfg.get('resume') and (_is_remote(cfg) or _is_in(start, folder))):
        return
    names = ', '.join(path.name for path in earlier[:3]) + (', ...' if earlier[3:] else '')
    also = f", and load_from '{start}' is among them" if start and _is_in(start, folder) else ''
    raise FileExistsError(
        f"'{earlier[0].parent}' holds checkpoints of an earlier training ({names}), which this one "
        f'would replace{also}: nothing was written. Continue it with --resume, choose '
        'another --work-dir, or remove them.'
    )


def _is_in(path: str, folder: Path) -> bool:
    """Return whether a folder holds a file or the target of a link."""
    return folder.resolve() in (Path(path).parent.resolve(), Path(path).resolve().parent)


def _candidates(cfg: Config) -> tuple[list[str], list[str]]:
    """Return checkpoint names, the best to resume from first, and the problems found so far."""
    folder, wrong = checkpoint_folder(cfg), []
    pattern = re.compile(_pattern(cfg))
    matches = map(pattern.fullmatch, os.listdir(folder) if folder.is_dir() else [])
    numbers = {match[0]: int(match[1]) for match in matches if match}
    names = sorted(numbers, key=numbers.get, reverse=True)
    last = Path(cfg.work_dir) / LAST
    if last.is_file():
        text = last.read_bytes().decode(errors='replace').strip()
        name = re.split(r'[/\\]', text)[-1]
        if not name:
            wrong.append(f"'{last}' is empty")
        elif not (folder / name).is_file():
            wrong.append(f"'{last}' names {name!r}, which is not in '{folder}'")
        else:
            names = [name, *(other for other in names if other != name)]
    return names, wrong


def _hook(cfg: Config) -> dict[str, Any]:
    return cfg.get('default_hooks', {}).get('checkpoint') or {}


def _is_remote(cfg: Config) -> bool:
    return '://' in str(_hook(cfg).get('out_dir'))


def checkpoint_folder(cfg: Config) -> Path:
    """Return the folder that the checkpoint hook writes to."""
    out_dir = _hook(cfg).get('out_dir')
    name = os.path.basename(os.path.abspath(cfg.work_dir))
    return Path(out_dir, name) if out_dir else Path(cfg.work_dir)


def local_folders(cfg: Config) -> list[Path]:
    """Return the distinct folders on a local disk that a training writes to."""
    folders = [Path(cfg.work_dir), *([] if _is_remote(cfg) else [checkpoint_folder(cfg)])]
    return list({folder.resolve(): folder for folder in reversed(folders)}.values())[::-1]


def _pattern(cfg: Config) -> str:
    """Return a regular expression for checkpoint names, with a group for the number."""
    hook = _hook(cfg)
    default = 'epoch_{}.pth' if hook.get('by_epoch', True) else 'iter_{}.pth'
    template = hook.get('filename_tmpl') or default
    return re.escape(template).replace(r'\{\}', r'(\d+)')


def _check(path: str, cfg: Config, trust: bool) -> None:
    """Raise ValueError, naming the file, unless a training can be resumed from it."""
    with trusted_checkpoint(path if trust else None):
        checkpoint = read_checkpoint(path, mmap=True)
    if not isinstance(checkpoint, dict):
        raise ValueError(f"'{path}' is not a checkpoint: it holds a {type(checkpoint).__name__}")
    needed = ['meta', 'state_dict', 'message_hub']
    if _hook(cfg).get('save_optimizer', True):
        needed.append('optimizer')
    missing = [key for key in needed if key not in checkpoint]
    if not missing:
        missing = [f'meta.{key}' for key in ('epoch', 'iter') if key not in checkpoint['meta']]
    if missing:
        raise ValueError(
            f"'{path}' holds weights, but no training state: it lacks {', '.join(missing)}"
        )
