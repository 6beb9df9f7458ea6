"""Fuzz target: one kind of hostile input, and the code that must handle it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

from tests.fuzz import targets

OUTSIDE = '{outside}'
"""Placeholder in hostile file names for an absolute folder that must not be written to."""


@dataclass(frozen=True)
class Target:
    """One kind of hostile input.

    Attributes:
        cases: Strategy to draw inputs from; any picklable values.
        prepare: ``prepare(case, inputs)`` writes the input files of a case into a folder.
        run: ``run(inputs, out)`` reads them; it may write files below ``out`` only, and must not
            change the inputs.
        expected: Errors raised for invalid inputs.
        names: Texts such as the file's name; the message of each expected error must contain one
            of them.
    """

    cases: SearchStrategy
    prepare: Callable[[Any, Path], None]
    run: Callable[[Path, Path], None]
    expected: tuple[type[Exception], ...]
    names: tuple[str, ...]


def find_targets() -> dict[str, Target]:
    """Return all targets by the name of their module."""
    names = sorted(module.name for module in pkgutil.iter_modules(targets.__path__))
    return {name: importlib.import_module(f'{targets.__name__}.{name}').TARGET for name in names}
