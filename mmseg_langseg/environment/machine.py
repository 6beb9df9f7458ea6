"""Processor, memory and GPUs of this machine, and whether torch can use them."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

from .section import Section

_TIMEOUT = 20
_GIB = 2**30


def check_machine(torch: dict[str, Any] | None) -> Section:
    """Compare the GPUs of this machine with what torch can use.

    Args:
        torch: Facts of ``describe_torch``; None if torch cannot be imported.
    """
    section = Section('Machine', [_processor()])
    installed = _nvidia_gpus()
    if torch is None:
        section.facts += [f'GPU: {gpu}' for gpu in installed]
        return section
    version = f'CUDA {torch["cuda"]}' if torch['cuda'] else 'without CUDA'
    section.facts.append(f'torch {torch["version"]}, {version}')
    for index, gpu in enumerate(torch['gpus']):
        section.facts.append(
            f'cuda:{index}: {gpu["name"]}, {gpu["memory"] / _GIB:.0f} GiB, '
            f'compute capability {gpu["capability"]}'
        )
        if gpu['error']:
            section.problems.append(
                f'torch {torch["version"]} cannot compute on cuda:{index} ({gpu["name"]}, compute '
                f'capability {gpu["capability"]}; torch is built for '
                f'{", ".join(torch["architectures"])}): {gpu["error"]}. Install a torch for this '
                'GPU (https://pytorch.org/get-started/locally), or use --device cpu'
            )
    if torch['mps']:
        section.facts.append('mps: Apple GPU')
    if installed and not torch['available']:
        _explain_unused(section, installed, torch)
    elif not torch['available'] and not torch['mps']:
        section.facts.append('no GPU: everything runs on the CPU')
    return section


def _explain_unused(section: Section, installed: list[str], torch: dict[str, Any]) -> None:
    """Add why torch does not use the NVIDIA GPUs of this machine."""
    section.facts += [f'GPU: {gpu}' for gpu in installed]
    hidden = os.environ.get('CUDA_VISIBLE_DEVICES')
    if not torch['cuda']:
        section.problems.append(
            f'this machine has an NVIDIA GPU, but torch {torch["version"]} is built without CUDA: '
            'install a torch with CUDA (https://pytorch.org/get-started/locally)'
        )
    elif torch['warning']:
        section.problems.append(
            f'torch cannot use the GPU ({torch["warning"]}): update the NVIDIA driver, or install '
            f'a torch for an older CUDA than {torch["cuda"]} '
            '(https://pytorch.org/get-started/previous-versions)'
        )
    elif hidden is not None:
        section.facts.append(f'CUDA_VISIBLE_DEVICES={hidden!r} hides the GPU from torch')
    else:
        section.problems.append(
            'torch finds no GPU, but nvidia-smi does: check that the processes have access to '
            '/dev/nvidia* (in a container: --gpus all)'
        )


def _processor() -> str:
    affinity = getattr(os, 'sched_getaffinity', None)  # not on macOS and Windows
    cores = len(affinity(0)) if affinity else os.cpu_count()
    if not hasattr(os, 'sysconf'):
        return f'{cores} CPU cores'
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return f'{cores} CPU cores, {memory / _GIB:.0f} GiB memory'


def _nvidia_gpus() -> list[str]:
    """Return name and driver version of the NVIDIA GPUs, whether torch sees them or not."""
    program = shutil.which('nvidia-smi')
    if program is None:
        return []
    command = [program, '--query-gpu=name,driver_version', '--format=csv,noheader']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return [line.replace(', ', ', driver ') for line in lines if line.strip()]
