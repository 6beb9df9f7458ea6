"""The command ``langseg import``."""

from __future__ import annotations

import argparse

from mmseg_langseg.apis.import_run import import_annotations

HELP = 'make a labeled folder for tests of corrected masks (COCO, CVAT)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``langseg import``."""
    parser.add_argument(
        'annotations', help='COCO .json, or .zip of CVAT\'s format "Segmentation mask 1.1"'
    )
    parser.add_argument(
        '--images', required=True, help='folder that the image names in the file are relative to'
    )
    parser.add_argument(
        '--out',
        required=True,
        help='output folder, e.g. data/photos, which *_test-photos.py reads; gets classes.txt, '
        'val/images and val/labels',
    )
    parser.add_argument(
        '--unlabeled',
        metavar='CLASS',
        help='class of pixels without annotation, e.g. background; default: ignored in tests',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace files that exist')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')


def run(args: argparse.Namespace) -> None:
    """Run ``langseg import``."""
    report = import_annotations(
        args.annotations, args.images, args.out, args.unlabeled, args.overwrite, args.quiet
    )
    kept = f', {report.kept} were complete' if report.kept else ''
    empty = f', {report.empty} of them without annotations' if report.empty else ''
    total = report.written + report.kept
    print(f'{args.out}: {total} images with {len(report.classes)} classes{kept}{empty}')
