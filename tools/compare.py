"""Train and test configs with several bundled CLIPs and print a table of means.

    python tools/compare.py configs/pixelclip/resnet_synthetic.py configs/pixelclip/ablations/*.py

Finished rows are not computed again: after an interruption, run the same command again.
"""

import argparse
import json
import platform
import statistics
from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, run_command, seed_int
from mmseg_langseg.apis.compare import (
    ComparisonRow,
    compare_trained,
    compare_untrained,
    seed_options,
)
from mmseg_langseg.apis.config_checks import check_output_folder
from mmseg_langseg.apis.config_options import ConfigOptions
from mmseg_langseg.fileio import check_new, write_whole_file
from mmseg_langseg.synthetic.renderer import SPLITS

import torch

TABLE_HEAD = '| run | mIoU raw | gain | mIoU centered | gain | training, s |'
# What the files in the work folder begin with.
OWN = {'table.md': TABLE_HEAD.encode(), 'rows.json': b'[\n [\n  {\n   "name": '}


def parse_args(argv=None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='+', help='the first one also yields the untrained row')
    parser.add_argument('--clip-seeds', nargs='+', type=seed_int, default=[0, 1, 2])
    parser.add_argument('--clip', default='embedded:clip_resnet_tiny_seed{seed}')
    parser.add_argument(
        '--split', choices=SPLITS, default='test', help="test split; 'tune' to choose settings"
    )
    parser.add_argument('--work-dir', default='work_dirs/compare')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, default={})
    return parser.parse_args(argv)


def compare_seed(args: argparse.Namespace, seed: int) -> list[ComparisonRow]:
    options = seed_options(args.clip, seed, args.split, args.cfg_options)
    folder = Path(args.work_dir) / f'seed{seed}'
    rows = [compare_untrained('CLIP', args.configs[0], str(folder / 'clip'), options)]
    for config in args.configs:
        name = Path(config).stem
        rows.append(compare_trained(name, config, str(folder / name), options))
    return rows


def print_table(by_seed: list[list[ComparisonRow]]) -> str:
    """Return a Markdown table: mean (and each seed) of both mIoUs, gain over CLIP."""
    lines = [
        TABLE_HEAD,
        '|---|---|---|---|---|---|',
    ]
    for rows in zip(*by_seed, strict=True):
        cells = [rows[0].name]
        for kind in ('raw', 'centered'):
            values = [getattr(row, kind) for row in rows]
            base = [getattr(seed_rows[0], kind) for seed_rows in by_seed]
            each = ' / '.join(f'{value:.1f}' for value in values)
            gain = statistics.mean(values) - statistics.mean(base)
            cells += [f'{statistics.mean(values):.1f} ({each})', f'{gain:+.1f}']
        cells.append(f'{statistics.mean(row.seconds for row in rows):.0f}')
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def print_groups(by_seed: list[list[ComparisonRow]], kind: str) -> str:
    """Return a Markdown table of all, known and unknown classes: mean (and each seed)."""
    lines = [
        f'| {kind} | all | known | unknown | harmonic |',
        '|---|---|---|---|---|',
    ]
    for rows in zip(*by_seed, strict=True):
        cells = [rows[0].name]
        for group in ('all', 'known', 'unknown', 'harmonic'):
            values = [{'all': getattr(row, kind), **row.groups[kind]}[group] for row in rows]
            each = ' / '.join(f'{value:.1f}' for value in values)
            cells.append(f'{statistics.mean(values):.1f} ({each})')
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def main(argv=None) -> None:
    args = parse_args(argv)
    check_output_folder(args.work_dir, '--work-dir')
    for name, start in OWN.items():
        check_new(Path(args.work_dir, name), start)
    by_seed = [compare_seed(args, seed) for seed in args.clip_seeds]
    table = print_table(by_seed)
    if by_seed[0][0].groups:
        table += ''.join(f'\n\n{print_groups(by_seed, kind)}' for kind in ('raw', 'centered'))
    print(
        f'\n{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch '
        f'{torch.__version__}; split {args.split}, CLIP seeds {args.clip_seeds}\n\n{table}'
    )
    rows = [[row.__dict__ for row in seed_rows] for seed_rows in by_seed]
    contents = {'table.md': f'{table}\n', 'rows.json': json.dumps(rows, indent=1)}
    for name, content in contents.items():
        check_new(Path(args.work_dir, name), OWN[name])
        write_whole_file(Path(args.work_dir, name), content.encode())


if __name__ == '__main__':
    run_command(main)
