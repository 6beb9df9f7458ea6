"""Seeds and states of the global random generators of Python, numpy and torch."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def seed_generators(*key: int) -> None:
    """Seed the global generators with a hash of integers.

    Args:
        *key: Integers of at least 0; calls for different purposes need different keys.
    """
    first, second, third = np.random.SeedSequence(key).generate_state(3).tolist()
    random.seed(first)
    np.random.seed(second)
    # torch.manual_seed would format a stack trace at each call until CUDA is initialized.
    torch.default_generator.manual_seed(third)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(third)


def generator_states() -> tuple[Any, ...]:
    """Return the states of the generators on the CPU, for :func:`set_generator_states`."""
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def set_generator_states(states: tuple[Any, ...]) -> None:
    """Restore the states of the generators on the CPU."""
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
