"""The command ``langseg models``."""

from __future__ import annotations

import argparse

from mmseg_langseg.apis.model_zoo import list_models

HELP = 'list the models with short names'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``langseg models``: none."""


def run(args: argparse.Namespace) -> None:
    """Run ``langseg models``."""
    print(list_models())
