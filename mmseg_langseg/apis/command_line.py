"""Argument parsing and error reporting of the commands in tools/ and demo/."""

from __future__ import annotations

import argparse
import io
import math
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import mmengine

from mmseg_langseg.fileio import LangSegWarning

from .device import check_device

Result = TypeVar('Result')

EXPECTED_ERRORS = (FloatingPointError, ImportError, OSError, RuntimeError, ValueError)
"""What bad input raises: the message says it all. Anything else is a fault of the program."""

CONFIG_ERRORS = (AssertionError, AttributeError, LookupError, TypeError)
"""What a wrong config raises while MMEngine reads it or builds its parts."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell has it."""

# Advice of MMSegmentation about losses and heads that no user of a command chose.
_NOT_SHOWN = (
    'Default ``avg_non_ignore`` is False',
    'For binary segmentation, we suggest using`out_channels = 1`',
)

SEED_LIMIT = 2**32 - 1
"""Largest seed that numpy takes."""


def command_parser(description: str, **kwargs: Any) -> argparse.ArgumentParser:
    """A parser with the options that all commands have.

    Args:
        description: First line of ``--help``.
        **kwargs: See ``argparse.ArgumentParser``.
    """
    parser = argparse.ArgumentParser(description=description, **kwargs)
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-checkpoint``."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='unpickle the checkpoint with all that it holds, which can run any command: only for '
        'files that you made yourself',
    )


def add_benchmark_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--benchmark``."""
    parser.add_argument(
        '--benchmark',
        metavar='NAME',
        help="test set instead of the config's: a file of configs/_base_/datasets, e.g. ade20k, "
        'pascal_voc20, voc_known_unknown (the protocol of MaskCLIP), or a config file of your own',
    )


def run_command(main: Callable[[], Result], argv: Sequence[str] | None = None) -> Result:
    """Run a command; an expected error ends it with its message instead of a traceback.

    A warning of this package is one line ``warning: ...``.

    Args:
        main: The command, reading ``sys.argv``.
        argv: Arguments to look for ``--debug`` in; default ``sys.argv``.

    Raises:
        SystemExit: The command failed; holds ``NAME: message``, which Python prints. After Ctrl-C
            it holds the status 130.
    """
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # A file name need not be text, and printing it is no reason to stop.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    try:
        with _plain_warnings():
            return main()
    except KeyboardInterrupt:
        if '--debug' in argv:
            raise
        raise SystemExit(INTERRUPTED) from None
    except Exception as error:
        if '--debug' in argv or not _is_expected(error):
            raise
        raise SystemExit(f'{Path(sys.argv[0]).stem}: {_message(error)}') from error


@contextmanager
def _plain_warnings() -> Iterator[None]:
    show = warnings.showwarning

    def show_plainly(message: Warning | str, category: type[Warning], *args: Any) -> None:
        if issubclass(category, LangSegWarning):
            print(f'warning: {message}', file=sys.stderr)
        elif not str(message).startswith(_NOT_SHOWN):
            show(message, category, *args)

    warnings.showwarning = show_plainly
    try:
        yield
    finally:
        warnings.showwarning = show


def _is_expected(error: Exception) -> bool:
    return isinstance(error, EXPECTED_ERRORS) or (
        isinstance(error, CONFIG_ERRORS) and _while_building(error)
    )


def _while_building(error: Exception) -> bool:
    """Whether MMEngine was reading a config or building a part of it."""
    package = Path(mmengine.__file__).parent
    folders = [Path(frame.filename).parent for frame in traceback.extract_tb(error.__traceback__)]
    # The runner calls everything; what it raises itself is about the config.
    refused = folders[-1:] == [package / 'runner']
    return refused or not {package / 'registry', package / 'config'}.isdisjoint(folders)


def _message(error: Exception) -> str:
    text = str(error)
    if isinstance(error, KeyError) and len(error.args) == 1:
        text = str(error.args[0])  # str(KeyError) has quotes around it
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f'{error.strerror}: {str(error.filename)!r}'
    if isinstance(error, EXPECTED_ERRORS) and not isinstance(error, RuntimeError):
        return text or type(error).__name__
    name = '' if ' ' in text else f'{type(error).__name__}: '
    return f'{name}{text} (--debug shows where)'


def device_name(text: str) -> str:
    """Argument type: a device that this machine has."""
    try:
        return check_device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def positive_int(text: str) -> int:
    """Argument type: an integer from 1 on."""
    return integer_in(1)(text)


def seed_int(text: str) -> int:
    """Argument type: a seed that Python, numpy and torch take."""
    return integer_in(0, SEED_LIMIT)(text)


def integer_in(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Argument type: an integer within bounds, both included."""

    def integer(text: str) -> int:
        value = int(text)
        if value < lowest or (highest is not None and value > highest):
            bounds = f'from {lowest} on' if highest is None else f'from {lowest} to {highest}'
            raise argparse.ArgumentTypeError(f'expected an integer {bounds}, got {value}')
        return value

    return integer


def number_in(lowest: float, highest: float = math.inf, above: bool = False) -> Callable:
    """Argument type: a finite number within bounds, both included.

    Args:
        lowest: Lower bound.
        highest: Upper bound.
        above: The lower bound itself is left out.
    """

    def number(text: str) -> float:
        value = float(text)
        high_enough = value > lowest if above else value >= lowest
        if not (math.isfinite(value) and high_enough and value <= highest):
            bounds = f'above {lowest:g}' if above else f'from {lowest:g} on'
            if highest < math.inf:
                bounds += f' and at most {highest:g}'
            raise argparse.ArgumentTypeError(f'expected a number {bounds}, got {text}')
        return value

    return number
