"""Imports of torch and this package in a process of their own, which may crash."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .section import Section

_SCRIPT = Path(__file__).parent / 'probes' / 'probe_imports.py'
_TIMEOUT = 300
_REMEDIES = {
    'torch': 'install it again (https://pytorch.org/get-started/locally)',
    'torchvision': 'install the torchvision that belongs to this torch '
    '(https://github.com/pytorch/vision#installation)',
    'open_clip': 'pip install open_clip_torch',
    'mmseg_langseg': 'pip install "mmseg_langseg[maintained]" in a new virtual environment',
}


def check_imports() -> tuple[Section, dict[str, dict[str, Any]]]:
    """Import torch, torchvision, open_clip and this package.

    Returns:
        The section, and what each package said (see ``probe_imports.py``) up to the first that
        cannot be imported.
    """
    section = Section('Imports')
    answers, ending = _run()
    facts = {one['name']: one['facts'] for one in answers if 'facts' in one}
    if facts:
        section.facts.append(f'work: {", ".join(facts)}')
    if 'mmseg_langseg' in facts:
        there = 'there' if facts['mmseg_langseg']['operators'] else 'not there, and not needed'
        section.facts.append(f'compiled operators of mmcv: {there}')
    first = None if answers else dict(name='torch')  # the process ended before
    failed = next((one for one in reversed(answers) if one['name'] not in facts), first)
    if failed is not None:
        name, error = failed['name'], failed.get('error', ending)
        # Errors about the dependency stack come with their own advice.
        remedy = '' if 'pip install' in error else f': {_REMEDIES[name]}'
        section.problems.append(f'{name} cannot be imported ({error}){remedy}')
    return section, facts


def _run() -> tuple[list[dict], str]:
    """Run the probe; return its lines and how its process ended."""
    with tempfile.TemporaryDirectory(prefix='langseg_check_') as folder:
        path = Path(folder, 'answers.jsonl')
        path.touch()
        try:
            done = subprocess.run(
                [sys.executable, str(_SCRIPT), str(path)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
            )
            ending = _describe(done.returncode)
        except subprocess.TimeoutExpired:
            ending = f'not finished after {_TIMEOUT} s'
        return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()], ending


def _describe(status: int) -> str:
    if status >= 0:
        return f'the process ended with status {status}'
    return f'the process crashed with {signal.Signals(-status).name}'
