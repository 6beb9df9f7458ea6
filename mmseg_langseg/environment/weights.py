"""Cache folders, weights of the models, and hosts to download them from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from .section import Section

_UNITS = ('B', 'KiB', 'MiB', 'GiB', 'TiB')


def check_caches(facts: dict[str, dict[str, Any]]) -> Section:
    """Check that the folders of downloaded weights and text embeddings can be written.

    Args:
        facts: Result of ``check_imports``.
    """
    caches = Path.home() / '.cache'
    folders = {'open_clip': (str(caches / 'clip'), 'HOME')}
    if 'mmseg_langseg' in facts:
        folders['Hugging Face'] = (facts['mmseg_langseg']['folder'], 'HF_HOME')
    if 'torch' in facts:
        folders['torch'] = (facts['torch']['folder'], 'TORCH_HOME')
    folders['text embeddings'] = (str(caches / 'mmseg_langseg'), 'HOME')
    section = Section('Caches')
    for name, (folder, variable) in folders.items():
        there = _existing_parent(Path(folder))
        usage = f'{_size(_bytes_in(folder))}' if there == Path(folder) else 'does not exist yet'
        free = _size(shutil.disk_usage(there).free)
        section.facts.append(f'{name}: {folder}, {usage}, {free} free')
        if not (there.is_dir() and os.access(there, os.W_OK)):
            section.problems.append(
                f'the cache {folder} cannot be written: change the rights of {there}, or set the '
                f'environment variable {variable} to another folder'
            )
    return section


def check_weights(package: dict[str, Any]) -> Section:
    """Report which weights are on this machine, and which can be downloaded.

    Args:
        package: Facts of ``describe_package``.
    """
    section = Section('Weights')
    models: dict[str, list[str]] = {}
    for name, source in package['weights'].items():
        models.setdefault(_locate(source, package['hosts']), []).append(name)
    section.facts += [f'{", ".join(names)}: {place}' for place, names in models.items()]
    section.facts += [obstacle or f'{host} answers' for host, obstacle in package['hosts'].items()]
    if any(package['hosts'].values()):
        section.facts.append(
            'without download: fetch the file on another machine, put it anywhere on this one, and '
            'add --cfg-options model.clip.pretrained=FILE to the command'
        )
    return section


def _locate(source: dict[str, Any] | None, hosts: dict[str, str | None]) -> str:
    if source is None:
        return 'bundled with the package'
    if source['file']:
        return source['file']
    if hosts[source['host']]:
        return f'not on this machine, cannot be downloaded from here: {source["url"]}'
    return f'downloaded on first use: {source["url"]}'


def _existing_parent(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _bytes_in(folder: str) -> int:
    """Return the size of all files below a folder; links are not followed."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue  # removed in the meantime, or not readable
    return total


def _size(count: float) -> str:
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f'{count:.0f} {_UNITS[unit]}'
