"""Kill mask generation at random moments and compare the result with an uninterrupted run.

    python tests/test_masks/test_runs/kill_generation.py data/photos/images --kills 24
    python tests/test_masks/test_runs/kill_generation.py data/photos/images --kills 24 --writers 2

Imports once and forks for each run, so that starting a run is cheap. If a run ends before it is
killed, the next one starts in an empty folder. After the last kill in a folder, one run completes;
its files, manifest included, must then equal those of the uninterrupted run.
"""

import argparse
import os
import random
import signal
import tempfile
import time
from pathlib import Path

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.generators import GENERATORS, build_generator
from mmseg_langseg.masks.runs import generate_masks


def start(args: argparse.Namespace, out: Path) -> int:
    """Start a run in a separate process and return its ID."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            source = open_image_source(args.images)
            generator = build_generator(args.generator)
            generate_masks(source, out, generator, args.generator, args.format, progress=False)
            status = 0
        finally:
            os._exit(status)
    return pid


def run_alone(args: argparse.Namespace, out: Path) -> float:
    """Generate all files and return the seconds that it took."""
    begin = time.perf_counter()
    assert os.waitpid(start(args, out), 0)[1] == 0, 'a run failed'
    return time.perf_counter() - begin


def run_and_kill(args: argparse.Namespace, out: Path, seconds: float) -> int:
    """Start the writers and kill them; return how many were killed before they ended."""
    pids = [start(args, out) for _ in range(args.writers)]
    time.sleep(seconds)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    assert set(statuses) <= {0, signal.SIGKILL}, f'a run failed: {statuses}'
    return statuses.count(signal.SIGKILL)


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder and their contents."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('images', type=Path, help='folder, list or tar')
    parser.add_argument('--generator', choices=GENERATORS, default='felzenszwalb')
    parser.add_argument('--format', choices=('sa1b', 'regions'), default='sa1b')
    parser.add_argument('--kills', type=int, default=24)
    parser.add_argument('--writers', type=int, default=1, help='runs at once in one folder')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    rng = random.Random(args.seed)
    kills = halves = folders = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        seconds = run_alone(args, root / 'undisturbed')
        expected = tree(root / 'undisturbed')
        while kills < args.kills:
            out = root / str(folders)
            folders += 1
            killed = True
            while killed and kills < args.kills:
                killed = run_and_kill(args, out, rng.uniform(0, seconds / 4))
                kills += killed
                halves += any(path.suffix == '.tmp' for path in out.rglob('*'))
            run_alone(args, out)
            found = tree(out)
            assert found == expected, f'{sorted(found.items() ^ expected.items())[:3]}'
    print(
        f'{kills} kills in {folders} folders of {len(expected)} files, {halves} of them within a '
        f'write; an undisturbed run takes {seconds:.1f} s: all files are the same'
    )


if __name__ == '__main__':
    main()
