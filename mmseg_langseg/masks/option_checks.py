"""Checks of options before the first image."""

from __future__ import annotations

import math
from typing import Any

from mmseg_langseg.fileio import show_value


def check_integer(name: str, value: Any, lowest: int, highest: int | None = None) -> None:
    """Check an option that is an integer.

    Args:
        name: Name of the option.
        value: Its value.
        lowest: Least value.
        highest: Largest value; ``None``: any.

    Raises:
        ValueError: The value is no integer, or out of bounds.
    """
    good = isinstance(value, int) and not isinstance(value, bool)
    if not good or value < lowest or (highest is not None and value > highest):
        bounds = f'from {lowest} on' if highest is None else f'from {lowest} to {highest}'
        raise ValueError(f'{name}={show_value(value)}: expected an integer {bounds}')


def check_number(
    name: str,
    value: Any,
    lowest: float = -math.inf,
    highest: float = math.inf,
    exclusive: bool = False,
) -> None:
    """Check an option that is a finite number.

    Args:
        name: Name of the option.
        value: Its value.
        lowest: Least value.
        highest: Largest value.
        exclusive: ``lowest`` itself is not allowed.

    Raises:
        ValueError: The value is no finite number, or out of bounds.
    """
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    # False for NaN, too; an integer may be too large to be a float.
    good = good and lowest <= value <= highest and abs(value) < 1e300
    if not good or (exclusive and value == lowest):
        bounds = f' above {lowest:g}' if exclusive else f' from {lowest:g}'
        bounds = '' if lowest == -math.inf else bounds
        bounds += '' if highest == math.inf else f' to {highest:g}'
        raise ValueError(f'{name}={show_value(value)}: expected a finite number{bounds}')


def check_bool(name: str, value: Any) -> None:
    """Check an option that is true or false.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f'{name}={show_value(value)}: expected True or False')


def check_pair(name: str, value: Any, lowest: float = -math.inf, highest: float = math.inf) -> None:
    """Check an option that is two numbers, each within bounds, such as a size or a range.

    Raises:
        ValueError: It is no such pair.
    """
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f'{name}={show_value(value)}: expected two numbers')
    for number in value:
        check_number(name, number, lowest, highest)
