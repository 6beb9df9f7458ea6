"""Evaluate a model: ``python tools/test.py CONFIG [CHECKPOINT]``."""

import argparse
import os
from collections.abc import Sequence

from mmseg_langseg.apis import leave_process_group, run_test
from mmseg_langseg.apis.command_line import (
    add_benchmark_option,
    add_config_options,
    add_trust_option,
    command_parser,
    number_in,
    run_command,
)
from mmseg_langseg.apis.evaluation_options import EvaluationOptions, add_evaluation_options


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser('Evaluate a model.')
    parser.add_argument(
        'config', help='config file, or the name of a config, e.g. pixelclip/vit-b16_coco'
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        default='none',
        help='weights; omitted or "none" tests the untrained model, i.e. zero-shot CLIP',
    )
    parser.add_argument('--work-dir', help='folder for the log and the metrics')
    add_benchmark_option(parser)
    parser.add_argument(
        '--protocol',
        metavar='NAME',
        help='test protocol of a method on this benchmark: sclip, clearclip, naclip or pixelclip '
        '(files of configs/_base_/protocols)',
    )
    add_evaluation_options(parser)
    parser.add_argument(
        '--out',
        help='folder for the predicted label maps, PNGs in the folder tree of the images: class '
        'index, or the index plus 1 for datasets with labels from 1 (ADE20K); 16 bits for more '
        'than 255 classes',
    )
    parser.add_argument('--show', action='store_true', help='show each prediction in a window')
    parser.add_argument('--show-dir', help='folder for drawn predictions')
    parser.add_argument(
        '--wait-time', type=number_in(0), default=2, help='seconds to show each window'
    )
    parser.add_argument(
        '--texts',
        help='vocabulary, e.g. "cat; dog, puppy; grass" (commas: synonyms), or a JSON file; '
        "default: the config's, or the class names of the dataset",
    )
    parser.add_argument(
        '--known',
        metavar='CLASSES',
        help='known classes that the checkpoint was trained with, if not those of the config',
    )
    add_config_options(parser, 'test_dataloader.batch_size=4')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started',
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    add_trust_option(parser)
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    args = parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return run_test(
        args.config,
        checkpoint=None if args.checkpoint == 'none' else args.checkpoint,
        work_dir=args.work_dir,
        out=args.out,
        show=args.show,
        show_dir=args.show_dir,
        wait_time=args.wait_time,
        tta=args.tta,
        cfg_options=args.cfg_options,
        launcher=args.launcher,
        texts=args.texts,
        known=args.known,
        benchmark=args.benchmark,
        protocol=args.protocol,
        trust_checkpoint=args.trust_checkpoint,
        options=EvaluationOptions.from_arguments(args),
    )


if __name__ == '__main__':
    run_command(main)
    leave_process_group()
