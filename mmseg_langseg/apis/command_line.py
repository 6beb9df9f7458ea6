"""Argument parsing and error reporting of the commands in tools/ and demo/."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar('Result')

EXPECTED_ERRORS = (FloatingPointError, ImportError, OSError, RuntimeError, ValueError)
"""What bad input raises: the message says it all. Anything else is a fault of the program."""


def command_parser(description: str, **kwargs: Any) -> argparse.ArgumentParser:
    """A parser with the options that all commands have.

    Args:
        description: First line of ``--help``.
        **kwargs: See ``argparse.ArgumentParser``.
    """
    parser = argparse.ArgumentParser(description=description, **kwargs)
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser


def run_command(main: Callable[[], Result], argv: Sequence[str] | None = None) -> Result:
    """Run a command; an expected error ends it with its message instead of a traceback.

    Args:
        main: The command, reading ``sys.argv``.
        argv: Arguments to look for ``--debug`` in; default ``sys.argv``.

    Raises:
        SystemExit: The command failed; holds ``NAME: message``, which Python prints.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        return main()
    except EXPECTED_ERRORS as error:
        if '--debug' in argv:
            raise
        message = str(error) or type(error).__name__
        raise SystemExit(f'{Path(sys.argv[0]).stem}: {message}') from error


def positive_int(text: str) -> int:
    """Argument type: an integer from 1 on."""
    return integer_in(1)(text)


def integer_in(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Argument type: an integer within bounds, both included."""

    def integer(text: str) -> int:
        value = int(text)
        if value < lowest or (highest is not None and value > highest):
            bounds = f'from {lowest} on' if highest is None else f'from {lowest} to {highest}'
            raise argparse.ArgumentTypeError(f'expected an integer {bounds}, got {value}')
        return value

    return integer
