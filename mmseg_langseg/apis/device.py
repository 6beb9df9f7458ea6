"""Check of the torch device given by the user."""

from __future__ import annotations

import torch

_NO_DATA = 'meta'
"""Device type of torch that computes shapes only."""


def check_device(name: str) -> str:
    """Return the name of a torch device, if this machine has it.

    Args:
        name: Device name of torch: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, ...

    Raises:
        ValueError: There is no such device; the message lists the available ones.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(_describe(name)) from error
    if device.type == 'cuda':
        # Does not initialize CUDA, after which processes could not be forked.
        found = (device.index or 0) < torch.cuda.device_count()
    else:
        found = device.type == 'cpu' or _works(device)
    if not found:
        raise ValueError(_describe(name))
    return name


def _works(device: torch.device) -> bool:
    try:
        torch.zeros(1, device=device)
    except Exception:  # each backend has its own exceptions
        return False
    return device.type != _NO_DATA


def _describe(name: str) -> str:
    gpus = [f'cuda:{index}' for index in range(torch.cuda.device_count())]
    mps = ['mps'] if torch.backends.mps.is_available() else []
    there = ', '.join(['cpu', *gpus, *mps])
    return f'there is no device {name!r} that torch can use; this machine has {there}'
