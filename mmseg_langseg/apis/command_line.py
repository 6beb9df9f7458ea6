"""Argument parsing and error reporting of the commands in tools/ and demo/."""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import cv2
import mmengine
from PIL import Image
from tqdm import tqdm

from mmseg_langseg.fileio import LangSegWarning

from .config_options import ConfigOptions
from .device import check_device

Result = TypeVar('Result')

EXPECTED_ERRORS = (
    FloatingPointError,
    Image.DecompressionBombError,
    ImportError,
    OSError,
    RuntimeError,
    ValueError,
)
"""Errors caused by bad input: the message suffices. Any other error is a bug."""

CONFIG_ERRORS = (AssertionError, AttributeError, LookupError, TypeError)
"""Errors caused by a wrong config while MMEngine reads it or builds its components."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as in a shell."""

# MMEngine's choices of threads and of torch's options in distributed runs, workers of our configs
# beyond the CPU cores, and advice of MMSegmentation about losses and heads that no user of a
# command chose.
_NOT_SHOWN = (
    '`broadcast_buffers` is deprecated',
    'Setting OMP_NUM_THREADS',
    'Setting MKL_NUM_THREADS',
    'This DataLoader will create',
    'Default ``avg_non_ignore`` is False',
    'For binary segmentation, we suggest using`out_channels = 1`',
)

SEED_LIMIT = 2**32 - 1
"""Largest seed that numpy accepts."""


def command_parser(description: str, **kwargs: Any) -> argparse.ArgumentParser:
    """Return an argument parser with the options common to all commands.

    Args:
        description: First line of ``--help``.
        **kwargs: See ``argparse.ArgumentParser``.
    """
    parser = argparse.ArgumentParser(description=description, **kwargs)
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser


def add_config_options(parser: argparse.ArgumentParser, example: str) -> None:
    """Add ``--cfg-options``, a dict of dotted keys and values.

    Args:
        parser: Parser of the command.
        example: Option that is typical of the command, for the help text.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help=f'override the config, e.g. {example} key=a,b "key=some words"',
    )


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-checkpoint``."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='unpickle the checkpoint without restrictions, which can execute arbitrary code; only '
        'for files that you created yourself',
    )


def add_benchmark_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--benchmark``."""
    parser.add_argument(
        '--benchmark',
        metavar='NAME',
        help="test set instead of the config's: a file of configs/_base_/datasets, e.g. ade20k, "
        'voc20, voc_known_unknown (the protocol of MaskCLIP), or your own config file',
    )


def run_command(main: Callable[[], Result], argv: Sequence[str] | None = None) -> Result:
    """Run a command and report expected errors as a message instead of a traceback.

    A warning of this package is one line ``warning: ...``.

    Args:
        main: Entry point that reads ``sys.argv``.
        argv: Arguments that may contain ``--debug``; default: ``sys.argv``.

    Raises:
        SystemExit: The command failed. The code is ``NAME: message``, which Python prints, or 130
            after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # File names may be invalid text; printing one must not raise.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    # Damaged images and videos are reported by us, once and by name.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
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
            tqdm.write(f'warning: {message}', file=sys.stderr)  # clears a progress bar
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
    """Whether the error was raised while MMEngine read a config or built a component."""
    package = Path(mmengine.__file__).parent
    folders = [Path(frame.filename).parent for frame in traceback.extract_tb(error.__traceback__)]
    # The runner calls everything, but errors raised in its own code are about the config.
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
    """Argument type: a positive integer."""
    return integer_in(1)(text)


def seed_int(text: str) -> int:
    """Argument type: a seed that Python, numpy and torch accept."""
    return integer_in(0, SEED_LIMIT)(text)


def integer_in(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return an argument type: an integer within inclusive bounds."""

    def integer(text: str) -> int:
        value = int(text)
        if value < lowest or (highest is not None and value > highest):
            bounds = f'of at least {lowest}' if highest is None else f'from {lowest} to {highest}'
            raise argparse.ArgumentTypeError(f'expected an integer {bounds}, got {value}')
        return value

    return integer


def number_in(lowest: float, highest: float = math.inf, above: bool = False) -> Callable:
    """Return an argument type: a finite number within inclusive bounds.

    Args:
        lowest: Lower bound.
        highest: Upper bound.
        above: Exclude the lower bound itself.
    """

    def number(text: str) -> float:
        value = float(text)
        high_enough = value > lowest if above else value >= lowest
        if not (math.isfinite(value) and high_enough and value <= highest):
            bounds = f'above {lowest:g}' if above else f'of at least {lowest:g}'
            if highest < math.inf:
                bounds += f' and at most {highest:g}'
            raise argparse.ArgumentTypeError(f'expected a number {bounds}, got {text}')
        return value

    return number
