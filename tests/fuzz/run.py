"""Run the fuzz campaign by hand with any number of inputs.

    python tests/fuzz/run.py --examples 10000 [--seed 1] [--targets mask_files coco_files]

Prints one line per target and, at the end, the failures. docs/reliability.md describes how to add
a target.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmseg_langseg.apis.command_line import command_parser, integer_in, positive_int
from tests.fuzz.harness import fuzz
from tests.fuzz.target import find_targets

HEAD = (
    f'{"target":<24}{"inputs":>8}{"used":>8}{"refused":>9}{"failures":>10}{"peak GiB":>10}'
    f'{"seconds":>9}'
)


def main(argv: list[str] | None = None) -> None:
    targets = find_targets()
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--examples', type=positive_int, default=1000, help='inputs per target')
    parser.add_argument('--seed', type=integer_in(0), default=0, help='another draw of inputs')
    parser.add_argument('--targets', nargs='+', choices=targets, default=list(targets))
    args = parser.parse_args(argv)
    failures = []
    print(HEAD)
    for name in args.targets:
        start = time.perf_counter()
        report = fuzz(targets[name], args.examples, args.seed)
        tried = report.accepted + report.refused
        print(
            f'{name:<24}{tried:>8}{report.accepted:>8}{report.refused:>9}'
            f'{len(report.failures):>10}{report.peak / 2**30:>10.2f}'
            f'{time.perf_counter() - start:>9.0f}',
            flush=True,
        )
        failures += [f'{name}, {failure}' for failure in report.failures]
    if failures:
        raise SystemExit('\n\n'.join(failures))


if __name__ == '__main__':
    main()
