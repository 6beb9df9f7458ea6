"""Evaluate models on benchmarks: one command, one table; interrupted runs resume.

python tools/eval_all.py --models clip-vit-b16 naclip-vit-b16 --benchmarks voc20 context59 --out OUT
python tools/eval_all.py --models ours:pixelclip-vit-b16=iter_10000.pth clip-vit-b16 ...
tools/dist_eval_all.sh 8 --models ...                 (several GPUs)
"""

import argparse
import os
from collections.abc import Sequence

from mmseg_langseg.apis.command_line import add_config_options, command_parser, run_command
from mmseg_langseg.apis.evaluation_options import EvaluationOptions, add_evaluation_options
from mmseg_langseg.apis.evaluation_run import EvaluatedModel, evaluate_all
from mmseg_langseg.apis.evaluation_table import read_published, write_tables
from mmseg_langseg.apis.launch import leave_process_group

from mmengine.dist import is_main_process


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser('Evaluate models on benchmarks, in one table.')
    parser.add_argument(
        '--models',
        nargs='+',
        required=True,
        metavar='[NAME:]CONFIG[=WEIGHTS]',
        help='short names ("langseg models") or config files, with a checkpoint or without',
    )
    parser.add_argument('--benchmarks', nargs='+', required=True, metavar='NAME')
    parser.add_argument('--protocol', help='test protocol of a method, e.g. sclip, for all tests')
    add_evaluation_options(parser)
    parser.add_argument('--out', required=True, help='output folder')
    parser.add_argument(
        '--compare', metavar='PAPER.json', help='published numbers, e.g. docs/published.json'
    )
    add_config_options(parser, 'test_dataloader.batch_size=4')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args(argv)


def _say(line: str) -> None:
    # The process group does not exist before the first test.
    if os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0':
        print(line, flush=True)


def main(argv: Sequence[str] | None = None) -> list[dict]:
    args = parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    published = read_published(args.compare) if args.compare else []
    records = evaluate_all(
        [EvaluatedModel.parse(text) for text in args.models],
        args.benchmarks,
        args.out,
        args.protocol,
        args.cfg_options,
        args.launcher,
        say=_say,
        options=EvaluationOptions.from_arguments(args),
    )
    if is_main_process():
        print(write_tables(records, args.out, published))
    return records


if __name__ == '__main__':
    run_command(main)
    leave_process_group()
