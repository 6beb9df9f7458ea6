"""Train the models of the study of label-free verdicts on the bundled synthetic dataset.

    python tools/synthetic/train_verdict_grid.py --work-dir work_dirs/verdict

Finished trainings are not repeated, and those that another process has started are left to it.
After an interruption, run the same command with --resume.
"""

import argparse

from mmseg_langseg.apis import run_training
from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.apis.config_checks import check_output_folder
from mmseg_langseg.fileio import write_whole_file

from verdict_grid import grid_runs


def parse_args(argv=None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--work-dir', default='work_dirs/verdict')
    parser.add_argument(
        '--resume', action='store_true', help='take over trainings that were interrupted'
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    check_output_folder(args.work_dir, '--work-dir')
    runs = list(grid_runs())
    for number, run in enumerate(runs, 1):
        started = run.folder(args.work_dir) / 'started'
        if run.is_finished(args.work_dir) or (started.exists() and not args.resume):
            continue
        write_whole_file(started, b'')
        print(
            f'[{number}/{len(runs)}] {run.half}: {run.name}, CLIP seed {run.clip_seed}', flush=True
        )
        # From the start: weights without optimizer cannot be resumed from.
        for path in run.checkpoints(args.work_dir):
            path.unlink()
        run_training(run.load(args.work_dir))


if __name__ == '__main__':
    run_command(main)
