"""The command ``langseg check``, which also runs where MMSegmentation cannot be imported."""

from __future__ import annotations

import argparse
import sys

from mmseg_langseg.environment import check_environment

HELP = 'check the installation: packages, GPU, caches, weights and downloads'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``langseg check``: none."""


def run(args: argparse.Namespace) -> None:
    """Run ``langseg check``.

    Raises:
        SystemExit: Something is broken; the code is 1.
    """
    problems = []
    for section in check_environment():
        print('\n'.join(section.lines()), flush=True)
        problems += section.problems
    if not problems:
        print('No problems found.')
        return
    print(f'{len(problems)} problem{"s" if len(problems) > 1 else ""}:')
    for problem in problems:
        print(f'* {problem}')
    raise SystemExit(1)


def main() -> None:
    """Entry point of the console script for this command alone."""
    parser = argparse.ArgumentParser(prog='langseg check', description=HELP)
    add_arguments(parser)
    run(parser.parse_args(sys.argv[2:]))
