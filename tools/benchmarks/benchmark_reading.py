"""Benchmark the reading of images and masks from files and from tars, in samples per second.

    python tools/benchmarks/benchmark_reading.py
    python tools/benchmarks/benchmark_reading.py --folder /mnt/disk --shards 32 --kilobytes 200 50

Writes random bytes instead of images and masks, as files in folders and as tars of these folders,
and reads all of them in three orders: as stored, in that of ShardShuffleSampler, and in that of
SeededInfiniteSampler. Before each pass, the files are dropped from the page cache where the system
can do so (Linux). Nothing is decoded. Times are wall-clock times of one process, medians of the
rounds, in which the six passes follow each other.
"""

import argparse
import os
import tarfile
import tempfile
import time
from itertools import islice
from pathlib import Path

import mmseg_langseg  # noqa: F401 - registers the dataset and the file backend
from mmseg_langseg.apis.command_line import command_parser, positive_int, run_command
from mmseg_langseg.datasets import (
    SeededInfiniteSampler,
    ShardShuffleSampler,
    UnlabeledMaskDataset,
)

import mmengine.fileio as fileio
import numpy as np
from benchmark_loading import describe_machine
from mmengine.registry import init_default_scope

SUFFIXES = ('.jpg', '.json')


def write_shard(root: Path, shard: int, samples: int, sizes: tuple[int, int]) -> None:
    """Write a folder of samples, and a tar of it.

    Args:
        root: Folder in which ``files`` and ``tars`` are created.
        shard: Number of the shard.
        samples: Number of samples.
        sizes: Bytes of an image, and of its masks.
    """
    rng = np.random.default_rng(shard)
    folder = root / 'files' / f'sa_{shard:06d}'
    folder.mkdir(parents=True)
    (root / 'tars').mkdir(exist_ok=True)
    with tarfile.open(root / 'tars' / f'{folder.name}.tar', 'w') as archive:
        for number in range(samples):
            for suffix, size in zip(SUFFIXES, sizes, strict=True):
                path = folder / f'sa_{shard * samples + number:08d}{suffix}'
                path.write_bytes(rng.bytes(size))
                archive.add(path, path.name)


def build_dataset(root: str) -> UnlabeledMaskDataset:
    """Build the dataset of a folder or of tars."""
    prefix = dict(img_path='', mask_path='')
    return UnlabeledMaskDataset(data_root=root, data_prefix=prefix, pipeline=[])


def orders(dataset: UnlabeledMaskDataset, num_shards: int, window: int) -> dict[str, list[int]]:
    """Return the order of an epoch for each sampler."""
    options = dict(num_shards=num_shards, window=window, seed=0)
    samplers = {
        'stored': ShardShuffleSampler(dataset, shuffle=False, **options),
        'window': ShardShuffleSampler(dataset, **options),
        'random': SeededInfiniteSampler(dataset, seed=0),
    }
    return {name: list(islice(sampler, len(dataset))) for name, sampler in samplers.items()}


def drop_from_cache(root: Path) -> bool:
    """Drop the files below a folder from the page cache; return whether the system can."""
    if not hasattr(os, 'posix_fadvise'):
        return False
    for path in filter(Path.is_file, root.rglob('*')):
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
    return True


def read(dataset: UnlabeledMaskDataset, order: list[int]) -> tuple[float, int]:
    """Read all samples; return the seconds and the number of bytes."""
    start, total = time.perf_counter(), 0
    for index in order:
        info = dataset.get_data_info(index)
        total += len(fileio.get(info['img_path'])) + len(fileio.get(info['mask_path']))
    return time.perf_counter() - start, total


def measure(root: Path, args: argparse.Namespace) -> dict[tuple[str, str], float]:
    """Return the median seconds of an epoch for each storage and order."""
    datasets = {
        'files': build_dataset(str(root / 'files')),
        'tars': build_dataset(f'tar://{root / "tars"}'),
    }
    passes = {
        (storage, name): (dataset, order)
        for storage, dataset in datasets.items()
        for name, order in orders(dataset, args.num_shards, args.window).items()
    }
    os.sync()
    times = {key: [] for key in passes}
    sizes = set()
    for _ in range(args.repeats):
        for key, (dataset, order) in passes.items():
            drop_from_cache(root)
            seconds, total = read(dataset, order)
            times[key].append(seconds)
            sizes.add(total)
    assert len(sizes) == 1, f'passes have read different data: {sizes} bytes'
    return {key: float(np.median(values)) for key, values in times.items()}


def report(times: dict[tuple[str, str], float], samples: int, sample_bytes: int) -> str:
    """Return a table of samples and megabytes per second."""
    lines = [f'{"":<10}{"order":<10}{"samples/s":>10}{"MB/s":>8}']
    for (storage, order), seconds in times.items():
        rate = samples / seconds
        lines.append(f'{storage:<10}{order:<10}{rate:>10.0f}{rate * sample_bytes / 1e6:>8.0f}')
    return '\n'.join(lines)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--folder', help='existing folder on the disk to measure')
    parser.add_argument('--shards', type=positive_int, default=16)
    parser.add_argument('--samples', type=positive_int, default=128, help='samples per shard')
    parser.add_argument(
        '--kilobytes',
        type=positive_int,
        nargs=2,
        default=(450, 450),
        metavar=('IMAGE', 'MASKS'),
        help='size of an image and of its masks',
    )
    parser.add_argument(
        '--num-shards', type=positive_int, default=4, help='shards that are read at a time'
    )
    parser.add_argument('--window', type=positive_int, default=256, help='samples in a window')
    parser.add_argument('--repeats', type=positive_int, default=3, help='rounds')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> dict[tuple[str, str], float]:
    args = parse_args(argv)
    init_default_scope('mmseg')
    sizes = tuple(1000 * kilobytes for kilobytes in args.kilobytes)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        root = Path(folder)
        for shard in range(args.shards):
            write_shard(root, shard, args.samples, sizes)
        cold = 'dropped from' if drop_from_cache(root) else 'perhaps in'
        times = measure(root, args)
    print(describe_machine())
    print(
        f'{args.shards} shards of {args.samples} samples of {sum(sizes) / 1000:.0f} kB, {cold} the '
        f'page cache before each pass; window: {args.num_shards} shards at a time, {args.window} '
        f'samples; {args.repeats} rounds'
    )
    print(report(times, args.shards * args.samples, sum(sizes)))
    return times


if __name__ == '__main__':
    run_command(main)
