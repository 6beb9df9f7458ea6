"""Peak memory of a process."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import torch

_CLEAR_PEAK = Path('/proc/self/clear_refs')
_STATUS = Path('/proc/self/status')
_MIB = 2**20


def reset_peak_memory(device: str) -> None:
    """Set the peak to the present use, where the system can.

    Args:
        device: torch device, e.g. ``'cuda'`` or ``'cpu'``.
    """
    if device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats(device)
    elif _CLEAR_PEAK.exists():
        with contextlib.suppress(OSError):  # then the peak is that since the start
            _CLEAR_PEAK.write_text('5')


def peak_memory(device: str) -> float:
    """Return the peak memory in MiB: allocated on the GPU, or resident in this process.

    Args:
        device: torch device, e.g. ``'cuda'`` or ``'cpu'``.
    """
    if device.startswith('cuda'):
        return torch.cuda.max_memory_allocated(device) / _MIB
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) / 2**10
    import resource  # not on Windows, where the package is imported as well

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (_MIB if sys.platform == 'darwin' else 2**10)
