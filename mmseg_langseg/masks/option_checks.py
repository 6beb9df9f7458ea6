"""Validation of numeric and boolean options."""

from __future__ import annotations

import math
from typing import Any

from mmseg_langseg.fileio import show_value


def check_integer(name: str, value: Any, lowest: int, highest: int | None = None) -> None:
    """Check that an option is an integer within bounds.

    Args:
        name: Name of the option.
        value: Value of the option.
        lowest: Minimum.
        highest: Maximum; ``None``: no limit.

    Raises:
        ValueError: The value is not an integer, or is out of bounds.
    """
    good = isinstance(value, int) and not isinstance(value, bool)
    if not good or value < lowest or (highest is not None and value > highest):
        bounds = f'of at least {lowest}' if highest is None else f'from {lowest} to {highest}'
        raise ValueError(f'{name}={show_value(value)}: expected an integer {bounds}')


def check_number(
    name: str,
    value: Any,
    lowest: float = -math.inf,
    highest: float = math.inf,
    exclusive: bool = False,
) -> None:
    """Check that an option is a finite number within bounds.

    Args:
        name: Name of the option.
        value: Value of the option.
        lowest: Minimum.
        highest: Maximum.
        exclusive: ``lowest`` itself is not allowed.

    Raises:
        ValueError: The value is not a finite number, or is out of bounds.
    """
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Also false for NaN; an integer may be too large for a float.
    good = good and lowest <= value <= highest and abs(value) < 1e300
    if not good or (exclusive and value == lowest):
        bounds = f' above {lowest:g}' if exclusive else f' from {lowest:g}'
        bounds = '' if lowest == -math.inf else bounds
        bounds += '' if highest == math.inf else f' to {highest:g}'
        raise ValueError(f'{name}={show_value(value)}: expected a finite number{bounds}')


def check_bool(name: str, value: Any) -> None:
    """Check that an option is True or False.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f'{name}={show_value(value)}: expected True or False')


def check_pair(name: str, value: Any, lowest: float = -math.inf, highest: float = math.inf) -> None:
    """Check that an option is a pair of numbers within bounds, such as a size or a range.

    Raises:
        ValueError: It is not such a pair.
    """
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f'{name}={show_value(value)}: expected two numbers')
    for number in value:
        check_number(name, number, lowest, highest)
