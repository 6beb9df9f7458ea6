"""The command ``langseg segment``."""

from __future__ import annotations

import argparse

from mmseg_langseg.apis.command_line import number_in, positive_int
from mmseg_langseg.apis.export_run import export_results
from mmseg_langseg.apis.texts import parse_texts
from mmseg_langseg.export import EXPORTERS

from .model_options import add_model_options, load_inferencer

HELP = 'segment images by class names'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``langseg segment``."""
    parser.add_argument(
        'inputs', nargs='+', help='image files, folders, tars, .txt lists of paths, or videos'
    )
    parser.add_argument(
        '--texts',
        required=True,
        help='classes, e.g. "cat; dog, puppy; grass" (commas: synonyms), or a .json vocabulary',
    )
    parser.add_argument('--out', required=True, help='output folder; interrupted runs resume')
    parser.add_argument(
        '--format', nargs='+', choices=list(EXPORTERS), default=['overlay'], help='output formats'
    )
    add_model_options(parser, 'clip-vit-b16')
    parser.add_argument('--batch-size', type=positive_int, default=1, help='images per batch')
    parser.add_argument(
        '--tile-size',
        type=positive_int,
        metavar='PIXELS',
        help='segment larger images in overlapping tiles of this size, e.g. 1024 for aerial images',
    )
    parser.add_argument(
        '--threshold',
        type=number_in(0, 1),
        help='minimum probability of the best class; other pixels become "other"',
    )
    parser.add_argument(
        '--min-margin',
        type=number_in(0, 1),
        help='minimum difference of the probabilities of the two best classes',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace files that exist')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')


def run(args: argparse.Namespace) -> None:
    """Run ``langseg segment``."""
    parse_texts(args.texts)  # fails before the model is loaded
    report = export_results(
        load_inferencer(args),
        args.inputs if len(args.inputs) > 1 else args.inputs[0],
        args.texts,
        args.out,
        args.format,
        args.batch_size,
        args.threshold,
        args.min_margin,
        tile_size=args.tile_size,
        overwrite=args.overwrite,
        quiet=args.quiet,
    )
    for name, error in report.bad:
        print(f'skipped {name}: {error}')
    resumed = f', {report.resumed} were complete' if report.resumed else ''
    skipped = f', {len(report.bad)} could not be read' if report.bad else ''
    images = 'image' if report.written == 1 else 'images'
    print(f'{report.written} {images} segmented{resumed}{skipped}; results in {args.out}')
