"""Compare and report what the sides of benchmark_official.py computed."""

from pathlib import Path
from statistics import median

import torch
from peer_process import PeerProcess
from torch import Tensor

NAMES = {'own': 'this package', 'official': 'official'}


def compare(folder: Path, file: str, start: str | None = None) -> dict[str, float]:
    """Compare tensors that both sides have written.

    Args:
        folder: Where they are.
        file: Their name without the side.
        start: File of earlier weights, whose change is compared instead.

    Returns:
        Norm of the difference divided by the norm of ours (``relative``), and the ``largest``
        difference.

    Raises:
        ValueError: The sides train different parameters.
    """
    own, official = (_read(folder / f'{side}_{file}.pt') for side in NAMES)
    before = _read(folder / f'own_{start}.pt') if start else {}
    if own.keys() != official.keys():
        names = ', '.join(sorted(own.keys() ^ official.keys())[:4])
        raise ValueError(f'The config does not train the parameters of the official code: {names}.')
    difference = norm = largest = 0.0
    for name, value in own.items():
        gap = (value - official[name]).double()
        difference += gap.square().sum().item()
        largest = max(largest, gap.abs().max().item())
        norm += (value - before.get(name, 0)).double().square().sum().item()
    return {'relative': (difference / norm) ** 0.5, 'largest': largest}


def _read(path: Path) -> dict[str, Tensor]:
    return torch.load(path, map_location='cpu', mmap=True, weights_only=True)


def compare_start(folder: Path, sides: dict[str, PeerProcess]) -> dict[str, float]:
    """Compare the weights before the training, see ``compare``."""
    for process in sides.values():
        process.ask('weights start')
    return compare(folder, 'start')


def compare_training(folder: Path, sides: dict[str, PeerProcess]) -> dict[str, dict[str, float]]:
    """Compare the gradients of the first step, and the change of the weights by all steps."""
    for process in sides.values():
        process.ask('weights end')
    return {
        'gradients': compare(folder, 'gradients'),
        'change': compare(folder, 'end', 'start'),
    }


def summarize(sides: dict[str, PeerProcess], results: dict[str, list]) -> dict[str, dict]:
    """Return the figures of the table for each side."""
    summary = {}
    for side, (_, *steps) in results.items():
        cpu, seconds = ([step[key] for step in steps] for key in ('cpu', 'seconds'))
        summary[side] = {
            'cpu': median(cpu),
            'cpu lowest': min(cpu),
            'cpu highest': max(cpu),
            'seconds': median(seconds),
            'seconds lowest': min(seconds),
            'seconds highest': max(seconds),
            'peak': max(step['peak'] for step in steps),
            'loaded': sides[side].loaded,
            'added': max(step['peak'] for step in steps) - sides[side].loaded,
            'losses': [step['loss'] for step in results[side]],
        }
    return summary


def report(summary: dict[str, dict], batch_size: int, on_gpu: bool) -> str:
    """Return a table of the sides, and the official figures divided by ours."""
    head = ''.join(f'{NAMES[side]:>14}' for side in summary)
    lines = [f'{"":<30}{head}{"ratio" if len(summary) > 1 else "":>8}']
    clock = 'seconds' if on_gpu else 'cpu'
    unit = 's' if on_gpu else 'CPU s'
    place = 'GPU memory' if on_gpu else 'memory of the process'
    rows = [
        (f'step, {unit}, median', clock, 3 if on_gpu else 2),
        (f'step, {unit}, lowest', f'{clock} lowest', 3 if on_gpu else 2),
        (f'step, {unit}, highest', f'{clock} highest', 3 if on_gpu else 2),
        (f'{place}, peak, MiB', 'peak', 0),
        ('before the steps, MiB', 'loaded', 0),
        ('added by the steps, MiB', 'added', 0),
    ]
    for title, key, digits in rows:
        values = [figures[key] for figures in summary.values()]
        cells = ''.join(f'{value:>14.{digits}f}' for value in values)
        ratio = f'{values[1] / values[0]:>8.2f}' if len(values) > 1 and values[0] else ''
        lines.append(f'{title:<30}{cells}{ratio}')
    if on_gpu:
        rates = [batch_size / figures['seconds'] for figures in summary.values()]
        lines.append(f'{"images/s":<30}' + ''.join(f'{rate:>14.1f}' for rate in rates))
    for number, losses in enumerate(
        zip(*(figures['losses'] for figures in summary.values()), strict=True), start=1
    ):
        title = f'loss of step {number}' + (', not measured' if number == 1 else '')
        lines.append(f'{title:<30}' + ''.join(f'{loss:>14.8f}' for loss in losses))
    return '\n'.join(lines)


def report_differences(differences: dict[str, dict[str, float]]) -> str:
    """Describe how far both sides differ."""
    return (
        f'weights at the start: largest difference {differences["start"]["largest"]:.1e}\n'
        'clipped gradients of step 1: difference '
        f'{differences["gradients"]["relative"]:.1e} of their norm\n'
        'change of weights and teacher by all steps: difference '
        f'{differences["change"]["relative"]:.1e} of its norm, largest '
        f'{differences["change"]["largest"]:.1e}'
    )
