"""Measure one side of a benchmark, peer_sides.py or official_sides.py, in a process of its own.

Commands are read from stdin, one per line; each is answered with a line of JSON on stdout. What the
measured code prints goes to stderr.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

Answer = Callable[[dict[str, Any]], None]


def load_peak_memory() -> ModuleType:
    """Load the module that measures memory without importing this package."""
    package = importlib.util.find_spec('mmseg_langseg').submodule_search_locations[0]
    path = Path(package) / 'engine' / 'peak_memory.py'
    spec = importlib.util.spec_from_file_location('peak_memory', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(
    memory: ModuleType, step: Callable[[], Any], device: str = 'cpu'
) -> tuple[dict[str, float], Any]:
    """Run a step; return its seconds, CPU seconds and peak memory in MiB, and its result."""
    # Memory that is free but not yet returned would hide what the step needs.
    with contextlib.suppress(AttributeError, OSError, TypeError):  # not in all C libraries
        ctypes.CDLL(None).malloc_trim(0)
    _synchronize(device)
    memory.reset_peak_memory(device)
    start, start_cpu = time.perf_counter(), time.process_time()
    result = step()
    _synchronize(device)
    figures = {
        'seconds': time.perf_counter() - start,
        'cpu': time.process_time() - start_cpu,
        'peak': memory.peak_memory(device),
    }
    return figures, result


def _synchronize(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)


def can_reset(memory: ModuleType) -> bool:
    """Return whether this system can set the peak memory back to the present use."""
    block = bytearray(b'x') * 2**26
    before = memory.peak_memory('cpu')
    del block
    memory.reset_peak_memory('cpu')
    return before - memory.peak_memory('cpu') > 2**5


def run_side(sides: Iterable[str], serve: Callable[[str, dict[str, Any], Answer], None]) -> None:
    """Entry point of the process: serve the side and the settings of the command line.

    Args:
        sides: Names of the sides.
        serve: Called with the name of the side, the settings and a function that sends an answer.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('side', choices=list(sides))
    parser.add_argument('settings', type=Path)
    args = parser.parse_args()
    # Prints of the measured code must not be taken for answers.
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    torch.set_num_threads(1)
    try:
        serve(args.side, json.loads(args.settings.read_text()), answer)
    except Exception as error:
        answer({'error': f'{type(error).__name__}: {error}'})
        raise
