"""Fuzz target: weight files of all formats, damaged, malicious or decompression bombs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmseg_langseg.fileio import read_checkpoint
from mmseg_langseg.models.clip_files import read_clip_file
from tests.fuzz.pickles import MARKER, weight_files
from tests.fuzz.target import Target

LARGEST = 10**6
NAMES = ('weights.', 'compact CLIP file')


def prepare(case: tuple[str, bytes], inputs: Path) -> None:
    kind, content = case
    suffix = '.safetensors' if kind == 'safetensors' else '.pth'
    (inputs / f'weights{suffix}').write_bytes(content)


def run(inputs: Path, out: Path) -> None:
    (path,) = inputs.iterdir()
    marker = inputs.parents[3] / 'outside/marker'
    os.environ[MARKER] = str(marker)
    refusals = []
    for read in (read_checkpoint, read_clip_whole):
        try:
            touch(read(path))
        except (ValueError, FileNotFoundError) as error:
            if not any(name in str(error) for name in NAMES):
                raise
            refusals.append(error)
    assert not marker.exists(), 'a program was run'
    if len(refusals) == 2:
        raise refusals[-1]


def read_clip_whole(path: Path) -> dict:
    """Read all weights of a CLIP as the model loader does."""
    return read_clip_file(path).state_dict(torch.Size((8, 4)))


def touch(value: Any, depth: int = 9) -> None:
    """Read every number: an access outside of its memory ends the process."""
    if isinstance(value, dict) and depth:
        for inner in list(value.values()):
            touch(inner, depth - 1)
    elif isinstance(value, torch.Tensor) and value.numel() < LARGEST and value.device.type == 'cpu':
        value.clone()
    elif isinstance(value, torch.Tensor) and value.device.type == 'cpu' and value.numel():
        value.reshape(-1)[-1].item() if value.is_contiguous() else None
    elif isinstance(value, np.ndarray) and value.size < LARGEST:
        repr(value)


TARGET = Target(weight_files(), prepare, run, (ValueError, FileNotFoundError), NAMES)
