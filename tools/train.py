"""Train a model: ``python tools/train.py CONFIG``."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from mmseg_langseg.apis import leave_process_group, run_training
from mmseg_langseg.apis.command_line import (
    add_config_options,
    add_trust_option,
    command_parser,
    run_command,
)
from mmseg_langseg.engine.hooks.termination_hook import REQUEUE


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser('Train a model.')
    parser.add_argument(
        'config', help='config file, or the name of a config, e.g. pixelclip/vit-b16_coco'
    )
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        default=False,
        metavar='CHECKPOINT',
        help='resume from CHECKPOINT; without a value, from the newest one in the work directory',
    )
    parser.add_argument(
        '--known',
        metavar='CLASSES',
        help='known classes of CLIP-S4 or MaskCLIP+, e.g. "person; dog, puppy; sky" (commas: '
        'synonyms), or a JSON file; sets the split of the metric, too',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    add_config_options(parser, 'optim_wrapper.optimizer.lr=1e-4')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started',
    )
    add_trust_option(parser)
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    run_training(
        args.config,
        work_dir=args.work_dir,
        resume=args.resume,
        amp=args.amp,
        cfg_options=args.cfg_options,
        launcher=args.launcher,
        known=args.known,
        trust_checkpoint=args.trust_checkpoint,
    )


if __name__ == '__main__':
    status = 0
    try:
        run_command(main)
    except SystemExit as stop:
        if stop.code != REQUEUE:
            raise
        status = REQUEUE
        # Once the first process has left, srun and torchrun send SIGTERM to the others.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leave_process_group()
    if status:
        sys.exit(status)
