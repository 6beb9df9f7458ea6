"""Parser and entry point of the command ``langseg``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmseg_langseg.apis.command_line import command_parser, run_command

from . import adapt, check, import_masks, models, queue, rank, segment, serve

COMMANDS = {
    'segment': segment,
    'adapt': adapt,
    'serve': serve,
    'rank': rank,
    'queue': queue,
    'import': import_masks,
    'models': models,
    'check': check,
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line of ``langseg``."""
    parser = command_parser('Open-vocabulary segmentation of your photos.', prog='langseg')
    commands = parser.add_subparsers(dest='command', required=True)
    for name, command in COMMANDS.items():
        command.add_arguments(commands.add_parser(name, help=command.HELP))
    return parser.parse_args(argv)


def _main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    COMMANDS[args.command].run(args)


def main() -> None:
    """Entry point of the console script."""
    run_command(_main)
