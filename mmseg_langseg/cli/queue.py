"""The command ``langseg queue``."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mmseg_langseg.apis.command_line import positive_int
from mmseg_langseg.apis.export_run import export_results
from mmseg_langseg.apis.image_inputs import ImageInput
from mmseg_langseg.apis.inferencer import LangSegInferencer
from mmseg_langseg.apis.judge import judge_masks
from mmseg_langseg.apis.label_queue import QueuedPhoto, label_queue
from mmseg_langseg.apis.launch import check_checkpoint, load_config
from mmseg_langseg.apis.model_zoo import model_config, untrained_config
from mmseg_langseg.apis.rejection import add_contrast
from mmseg_langseg.apis.texts import parse_texts
from mmseg_langseg.export import EXPORTERS
from mmseg_langseg.fileio import check_new, write_whole_file
from mmseg_langseg.verdict import UNINFORMED

from .model_options import add_model_options, load_inferencer
from .photo_options import add_photo_options, find_photos

HELP = 'export the photos to label or correct first'
_START = 'photo,disagreement,margin'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``langseg queue``."""
    add_photo_options(parser)
    parser.add_argument(
        '--number', type=positive_int, default=50, help='photos to export (default: 50)'
    )
    parser.add_argument(
        '--format', nargs='+', choices=list(EXPORTERS), default=['cvat'], help='output formats'
    )
    add_model_options(parser, 'clip-vit-b16')
    parser.add_argument(
        '--judge', metavar='MODEL', help='model that judges, untrained (default: the model itself)'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace files that exist')


def run(args: argparse.Namespace) -> None:
    """Run ``langseg queue``."""
    vocabulary = parse_texts(args.texts)
    judge = untrained_config(args.judge or args.model)
    if args.weights is not None:
        check_checkpoint(args.weights)
    load_config(model_config(args.model, args.weights), cfg_options=args.cfg_options)
    load_config(judge, cfg_options=args.cfg_options)
    table = Path(args.out, 'queue.csv')
    check_new(table, _START.encode())
    photos = find_photos(args).photos()
    segment = LangSegInferencer(judge, None, args.device, args.cfg_options)
    belief, informed = judge_masks(segment, add_contrast(vocabulary), photos)
    if not informed:
        print(UNINFORMED)
    if args.weights is not None or args.judge is not None:
        segment = None  # frees the memory first
        segment = load_inferencer(args)
    queue = label_queue(segment, belief, vocabulary, photos, args.quiet)
    by_name = {photo.name: photo for photo in photos}
    first = queue[: args.number]
    report = export_results(
        segment,
        [ImageInput(one.name, by_name[one.name].load) for one in first],
        vocabulary,
        args.out,
        args.format,
        overwrite=args.overwrite,
        quiet=args.quiet,
    )
    write_whole_file(table, _csv(queue).encode())
    resumed = f', {report.resumed} were complete' if report.resumed else ''
    print(
        f'{report.written} of {len(queue)} photos exported{resumed}; their order is in {table}, '
        f'results in {args.out}'
    )


def _csv(queue: Sequence[QueuedPhoto]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator='\n')
    rows.writerow(_START.split(','))
    for one in queue:
        rows.writerow((one.name, f'{one.disagreement:.4f}', f'{one.margin:.4f}'))
    return text.getvalue()
