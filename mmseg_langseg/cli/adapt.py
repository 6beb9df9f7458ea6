"""The command ``langseg adapt``."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmseg_langseg.adaptation import adapt
from mmseg_langseg.adaptation.adaptation import interval
from mmseg_langseg.apis.command_line import add_config_options, number_in, positive_int
from mmseg_langseg.apis.model_zoo import PHOTO_CONFIGS

HELP = 'train on your photos without labels, and keep the result only if it is better'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``langseg adapt``."""
    parser.add_argument('folder', help='folder of photos, searched recursively')
    parser.add_argument(
        '--texts',
        required=True,
        help='classes, e.g. "cat; dog, puppy; grass" (commas: synonyms), or a .json vocabulary',
    )
    parser.add_argument(
        '--out',
        help='output folder; interrupted runs resume (default: work_dirs/adapt_NAME of the folder)',
    )
    parser.add_argument(
        '--model',
        default='clip-vit-b16',
        help=f'{", ".join(PHOTO_CONFIGS)}, or a config file (default: clip-vit-b16)',
    )
    parser.add_argument(
        '--masks', help="folder of mask files in SA-1B's format (default: generated in OUT/masks)"
    )
    parser.add_argument('--iterations', type=positive_int, help="default: the config's")
    parser.add_argument(
        '--batch-size', type=positive_int, help="images per step (default: the config's)"
    )
    parser.add_argument(
        '--held-out',
        type=number_in(0, 1),
        metavar='SHARE',
        help='share of the photos to compare models on, at least 8 photos (default: 0.2, at most '
        '200 photos)',
    )
    add_config_options(parser, 'optim_wrapper.optimizer.lr=1e-4')


def run(args: argparse.Namespace) -> None:
    """Run ``langseg adapt``."""
    out = Path(args.out or f'work_dirs/adapt_{Path(args.folder).resolve().name}')
    result = adapt(
        args.folder,
        args.texts,
        out,
        args.model,
        args.masks,
        args.iterations,
        args.batch_size,
        args.held_out,
        args.cfg_options,
    )
    for one in result.judged[1:]:
        print(f'{one.candidate.name}: {interval(one.verdict)}, {one.verdict.decision}')
    print(result.answer)
    print(f'report: {out / "report.html"}')
    print(f'to use the chosen model:\n{result.command}')
