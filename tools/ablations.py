"""Run the ablations of PixelCLIP's paper on the bundled synthetic dataset and print its tables.

    python tools/ablations.py --tables 3a 3b

Finished rows are not computed again: after an interruption, run the same command again.
"""

import argparse
import json
import platform
import statistics
from pathlib import Path

from mmseg_langseg.apis.ablation_study import AblationStudy
from mmseg_langseg.apis.command_line import (
    add_config_options,
    command_parser,
    run_command,
    seed_int,
)
from mmseg_langseg.apis.compare import ComparisonRow, seed_options
from mmseg_langseg.apis.config_checks import check_output_folder
from mmseg_langseg.apis.resources import resource_folder
from mmseg_langseg.fileio import check_new, write_whole_file
from mmseg_langseg.synthetic.renderer import SPLITS

import torch

CONFIG = 'pixelclip/resnet_synthetic'
TABLES = 'pixelclip/ablations/paper_tables.yml'
# What the files in the work folder begin with.
OWN = {
    'tables.md': b'<!-- Written by tools/ablations.py. -->\n',
    'tables.json': b'{\n "written_by": "tools/ablations.py"',
}
Results = dict[int, dict[str, ComparisonRow]]


def parse_args(argv, study: AblationStudy) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument(
        '--tables',
        nargs='+',
        choices=list(study.tables),
        default=list(study.tables),
        metavar='TABLE',
        help=f'tables of the paper, by default all: {" ".join(study.tables)}',
    )
    parser.add_argument('--clip-seeds', nargs='+', type=seed_int, default=[0])
    parser.add_argument('--clip', default='embedded:clip_resnet_tiny_seed{seed}')
    parser.add_argument(
        '--split', choices=SPLITS, default='test', help="test split; 'tune' to choose settings"
    )
    parser.add_argument('--work-dir', default='work_dirs/ablations')
    add_config_options(parser, 'train_cfg.max_iters=100')
    args = parser.parse_args(argv)
    args.tables = [name for name in study.tables if name in args.tables]
    return args


def markdown(study: AblationStudy, tables: list[str], results: Results) -> str:
    """Return Markdown tables in the paper's layout: our mIoUs (mean and each seed), the paper's."""
    lines = []
    for name in tables:
        table = study.tables[name]
        paper_head = [f'paper: {column}' for column in study.columns]
        head = ['', 'ours: raw', 'ours: centered', *paper_head]
        lines += ['', f'### Table {name}: {table["title"]}', '']
        lines += [f'The paper: {table["setting"]}.', '', _line(head), _line(['---'] * len(head))]
        for row in table['rows']:
            ours = [_ours(results, row['run'], kind) for kind in ('raw', 'centered')]
            paper = row.get('paper', ['-'] * len(study.columns))
            lines.append(_line([row['label'], *ours, *paper]))
    return '\n'.join(lines).lstrip()


def _line(cells: list) -> str:
    return f'| {" | ".join(map(str, cells))} |'


def _ours(results: Results, run: str, kind: str) -> str:
    values = [getattr(rows[run], kind) for rows in results.values() if run in rows]
    if len(values) < len(results):
        return 'not finished'
    mean = f'{statistics.mean(values):.1f}'
    return f'{mean} ({" / ".join(f"{v:.1f}" for v in values)})' if len(values) > 1 else mean


def write_tables(args: argparse.Namespace, study: AblationStudy, results: Results) -> str:
    """Write the tables, with what is finished, as Markdown and JSON; return the Markdown."""
    machine = dict(
        processor=platform.processor() or platform.machine(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )
    text = (
        'mIoU in % on the bundled synthetic dataset, with plain and with centered logits, beside '
        f"the paper's on its benchmarks. Split {args.split}, CLIP seeds "
        f'{", ".join(map(str, results))}; {machine["processor"]}, threads: '
        f'{machine["threads"]}, torch {machine["torch"]}.\n\n'
        f'{markdown(study, args.tables, results)}\n'
    )
    rows = {
        seed: {name: row.__dict__ for name, row in named.items()} for seed, named in results.items()
    }
    content = dict(
        written_by='tools/ablations.py',
        **machine,
        split=args.split,
        columns=study.columns,
        tables={name: study.tables[name] for name in args.tables},
        results_by_clip_seed=rows,
    )
    contents = {
        'tables.md': OWN['tables.md'] + text.encode(),
        'tables.json': json.dumps(content, indent=1, ensure_ascii=False).encode(),
    }
    for name, data in contents.items():
        check_new(Path(args.work_dir, name), OWN[name])
        write_whole_file(Path(args.work_dir, name), data)
    return text


def main(argv=None) -> None:
    study = AblationStudy.read(resource_folder('configs') / TABLES, CONFIG)
    args = parse_args(argv, study)
    check_output_folder(args.work_dir, '--work-dir')
    for name, start in OWN.items():
        check_new(Path(args.work_dir, name), start)
    names = study.runs_of(args.tables)
    todo, results = [], {seed: {} for seed in args.clip_seeds}
    for seed in results:  # wrong options and other settings, before the first training
        options = seed_options(args.clip, seed, args.split, args.cfg_options)
        folder = Path(args.work_dir) / f'seed{seed}'
        for name in names:
            row = study.stored(name, folder, options)
            if row is None:
                todo.append((seed, name, folder, options))
            else:
                results[seed][name] = row
    for number, (seed, name, folder, options) in enumerate(todo, 1):
        print(f'[{number}/{len(todo)}] {name}, CLIP seed {seed}', flush=True)
        results[seed][name] = study.measure(name, folder, options)
        write_tables(args, study, results)
    print(write_tables(args, study, results))


if __name__ == '__main__':
    run_command(main)
