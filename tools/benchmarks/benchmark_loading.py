"""Benchmark the mask pipeline against decoding every mask, in samples per second per core.

    python tools/benchmarks/benchmark_loading.py
    python tools/benchmarks/benchmark_loading.py --masks 50 --size 750 1125 --images 8

Creates images and masks similar to SA-1B in a temporary folder and loads them in two ways:

* lookup: this package's pipeline. The masks stay encoded and are looked up at the final pixels.
* decode: pycocotools decodes all masks, unchecked; each is then transformed by the same Resize,
  RandomCrop and RandomFlip as a separate label map.

All other steps are the same, and both use the same random numbers. The samples must be equal, or
the benchmark fails. Times are CPU times of one process with one thread, medians over the samples.
"""

import argparse
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mmseg_langseg.datasets  # noqa: F401 - registers the transforms
from mmseg_langseg.apis.command_line import command_parser, positive_int, run_command
from mmseg_langseg.apis.resources import resource_folder
from mmseg_langseg.masks.formats import write_mask_file

import cv2
import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import TRANSFORMS
from pycocotools import mask as coco_mask

CONFIG = resource_folder('configs') / '_base_' / 'datasets' / 'unlabeled_masks.py'
# Shares of the image; SA-1B's masks are mostly small.
AREAS = (0.0002, 0.2)
GEOMETRY = ('Resize', 'RandomCrop', 'RandomFlip')
MASK_STEPS = ('LoadUnlabeledMasks', 'PackMaskInputs')

Steps = list[tuple[str, Callable[[dict], dict]]]


class DecodeMasks:
    """Decode all masks, each into a separate label map."""

    def __call__(self, results: dict) -> dict:
        """Add the label maps."""
        content = json.loads(Path(results['mask_path']).read_text())
        rles = [annotation['segmentation'] for annotation in content['annotations']]
        results['seg_fields'] = [f'mask_{i}' for i in range(len(rles))]
        results.update(zip(results['seg_fields'], map(coco_mask.decode, rles), strict=True))
        return results


class PackDecodedMasks:
    """Pack samples as PackMaskInputs does, but from bitmaps."""

    def __init__(self, pack: Callable[[dict], dict]) -> None:
        self.pack = pack

    def __call__(self, results: dict) -> dict:
        """Return the packed sample."""
        maps = [results[key] for key in results['seg_fields']]
        height, width = results['img'].shape[:2]
        rows, cols = (
            np.arange(out) * side // out
            for side, out in zip((height, width), self.pack.mask_size, strict=True)
        )
        masks = np.stack([one[rows[:, None], cols] for one in maps]).astype(bool)
        x0, y0, x1, y1 = results['cutout_box']
        box = np.ix_((rows >= y0) & (rows < y1), (cols >= x0) & (cols < x1))
        masks[:, box[0], box[1]] = False
        packed = self.pack(dict(results, mask_rles=[]))
        packed['data_samples'].set_field(torch.from_numpy(masks), 'masks', dtype=torch.Tensor)
        return packed


def make_sample(folder: Path, number: int, size: tuple[int, int], num_masks: int) -> dict:
    """Write an image and masks with ragged outlines; return their paths as a dataset does."""
    rng = np.random.default_rng(number)
    height, width = size
    coarse = rng.integers(0, 256, (height // 25, width // 25, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    image += rng.integers(-12, 13, image.shape, dtype=np.int16)
    image_path = folder / f'sa_{number}.jpg'
    image_path.write_bytes(cv2.imencode('.jpg', image.clip(0, 255).astype(np.uint8))[1].tobytes())
    shares = np.exp(rng.uniform(*np.log(AREAS), num_masks))
    rles = [_ragged_mask(rng, size, share) for share in shares]
    mask_path = folder / f'sa_{number}.json'
    write_mask_file(mask_path, rles, size, image_path.name)
    return dict(img_path=str(image_path), mask_path=str(mask_path))


def _ragged_mask(rng: np.random.Generator, size: tuple[int, int], share: float) -> dict:
    height, width = size
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    waves = sum(
        rng.normal(0, 0.25 / k) * np.sin(k * angles + rng.uniform(0, 6.28)) for k in range(1, 20)
    )
    radius = np.sqrt(share * height * width / np.pi) * np.clip(1 + waves, 0.3, 2)
    center = rng.uniform(0, (width, height))
    outline = center + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    mask = cv2.fillPoly(np.zeros(size, np.uint8), [outline.round().astype(np.int32)], 1)
    return coco_mask.encode(np.asfortranarray(mask))


def build_steps() -> tuple[Steps, Steps]:
    """Build the steps that look masks up, and those that decode them."""
    configs = Config.fromfile(CONFIG).train_pipeline
    lookup = [(config.type, TRANSFORMS.build(config)) for config in configs]
    decode = []
    for name, step in lookup:
        if name == 'LoadUnlabeledMasks':
            step = DecodeMasks()
        elif name == 'PackMaskInputs':
            step = PackDecodedMasks(step)
        decode.append((name, step))
    return lookup, decode


def load(steps: Steps, paths: dict, seed: int) -> tuple[dict, dict[str, float]]:
    """Load a sample; return it and the CPU seconds of each step."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    sample, times = dict(paths), {}
    for name, step in steps:
        start = time.process_time()
        sample = step(sample)
        times[name] = time.process_time() - start
    return sample, times


def check_equal(one: dict, other: dict) -> None:
    """Raise AssertionError unless two samples hold the same views and masks."""
    for view in ('weak', 'strong'):
        assert torch.equal(one['inputs'][view], other['inputs'][view]), f'{view} views differ'
    masks, others = one['data_samples'].masks, other['data_samples'].masks
    assert masks.dtype == others.dtype == torch.bool and torch.equal(masks, others), 'masks differ'


def measure(paths: list[dict], repeats: int) -> dict[str, dict[str, float]]:
    """Load all samples in both ways, alternately; return the median CPU seconds of each step."""
    ways = dict(zip(('lookup', 'decode'), build_steps(), strict=True))
    times = {way: [] for way in ways}
    found = False
    for visit in range(-1, repeats):
        for number, path in enumerate(paths):
            samples = {}
            for way, steps in ways.items():
                samples[way], step_times = load(steps, path, 1000 * (visit + 1) + number)
                # The first visit is a warm-up.
                if visit >= 0:
                    times[way].append(step_times)
            check_equal(samples['lookup'], samples['decode'])
            found |= bool(samples['lookup']['data_samples'].masks.any())
    assert found, 'no mask has a pixel: nothing was compared'
    return {
        way: {name: float(np.median([t[name] for t in entries])) for name in entries[0]}
        for way, entries in times.items()
    }


def report(times: dict[str, dict[str, float]]) -> str:
    """Return a table of the steps, and samples per second per core."""
    lookup, decode = times['lookup'], times['decode']
    lines = [f'{"CPU ms":<28}{"lookup":>10}{"decode":>10}']
    lines += [
        f'  {step:<26}{1e3 * lookup[step]:>10.1f}{1e3 * decode[step]:>10.1f}' for step in lookup
    ]
    carried = (*MASK_STEPS, *GEOMETRY)
    for title, steps in (
        ('masks and geometry', carried),
        ('without the color steps', ('LoadUnlabeledImage', *carried)),
        ('whole sample', tuple(lookup)),
    ):
        ours, theirs = (sum(way[step] for step in steps) for way in (lookup, decode))
        lines.append(
            f'{title:<28}{1e3 * ours:>10.1f}{1e3 * theirs:>10.1f}  {theirs / ours:.1f} times'
        )
    rates = [1 / sum(way.values()) for way in (lookup, decode)]
    lines.append(f'{"samples per second per core":<28}{rates[0]:>10.2f}{rates[1]:>10.2f}')
    return '\n'.join(lines)


def describe_machine() -> str:
    names = [
        line.split(':', 1)[1].strip()
        for line in Path('/proc/cpuinfo').read_text().splitlines()
        if line.startswith('model name')
    ] if Path('/proc/cpuinfo').exists() else []  # fmt: skip
    processor = names[0] if names else platform.processor() or platform.machine()
    return (
        f'{processor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; '
        f'Python {platform.python_version()}, numpy {np.__version__}, OpenCV {cv2.__version__}, '
        f'mmcv {mmcv.__version__}'
    )


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--images', type=positive_int, default=4)
    parser.add_argument('--masks', type=positive_int, default=100, help='masks per image')
    parser.add_argument(
        '--size', type=positive_int, nargs=2, default=(1500, 2250), metavar=('HEIGHT', 'WIDTH')
    )
    parser.add_argument(
        '--repeats', type=positive_int, default=2, help='loads of each image after a warm-up'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> dict[str, dict[str, float]]:
    args = parse_args(argv)
    init_default_scope('mmseg')
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            make_sample(Path(folder), number, tuple(args.size), args.masks)
            for number in range(args.images)
        ]
        kilobytes = [
            sum(Path(path[key]).stat().st_size for path in paths) / len(paths) / 1000
            for key in ('img_path', 'mask_path')
        ]
        times = measure(paths, args.repeats)
    print(describe_machine())
    print(
        f'{args.images} images of {args.size[0]} x {args.size[1]} ({kilobytes[0]:.0f} kB), each '
        f'with {args.masks} masks ({kilobytes[1]:.0f} kB of JSON); each loaded {args.repeats} '
        'times after a warm-up, alternately in both ways; equal samples'
    )
    print(report(times))
    return times


if __name__ == '__main__':
    run_command(main)
