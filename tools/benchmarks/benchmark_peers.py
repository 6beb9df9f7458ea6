"""Benchmark this package against a checkout of NACLIP: CPU time, memory and labels.

    git clone https://github.com/sinahmr/NACLIP NACLIP
    python tools/benchmarks/benchmark_peers.py NACLIP --benchmark voc20
    python tools/benchmarks/benchmark_peers.py --benchmark ade20k   (this package alone)

Both run NACLIP's protocol on the same random images with the same random weights, class names and
templates, each in its own process, on one thread of the CPU:

* text: all sentences to the embeddings of the class names, with loaded weights.
* image: an image of model input size, uint8, to the label map at its original size.

The images are segmented alternately by both. Memory is what a stage adds to the process after it
has loaded the weights. The code in the checkout is executed and not changed.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from mmseg_langseg.apis.command_line import command_parser, integer_in, positive_int, run_command
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.models import load_clip
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.text_encoders.templates import get_templates

import cv2
import numpy as np
import torch
from benchmark_loading import describe_machine
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import TRANSFORMS
from peer_process import PeerProcess

NAMES = {'own': 'this package', 'naclip': 'NACLIP'}
SIDES = Path(__file__).with_name('peer_sides.py')
ARCHS = {
    'ViT-B/16': 'ViT-B-16-quickgelu',
    'tiny': {
        'embed_dim': 64,
        'vision_cfg': {'layers': 2, 'width': 64, 'patch_size': 16, 'image_size': 64},
        'text_cfg': {'layers': 2, 'width': 64, 'heads': 1},
        'quick_gelu': True,
    },
}
REPOSITORY = 'sinahmr/NACLIP'
CHECKOUT_FILES = ('naclip.py', 'pamr.py', 'clip/clip.py', 'prompts/imagenet_template.py')


def check_checkout(folder: Path, repository: str, files: Iterable[str]) -> None:
    """Check that a folder is a checkout of a repository.

    Args:
        folder: The checkout.
        repository: Owner and name on GitHub.
        files: Paths that it must have.

    Raises:
        FileNotFoundError: The folder does not exist, or lacks files.
    """
    name = repository.split('/')[1]
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder '{folder}' with a checkout of {name}.")
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(
            f"'{folder}' is not a checkout of {name} (github.com/{repository}): it has no "
            f'{", ".join(missing)}.'
        )


def commit(folder: Path) -> str:
    """Return the commit of a checkout, or that it is unknown."""
    command = ['git', '-C', str(folder), 'rev-parse', '--show-toplevel', 'HEAD']
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 'commit unknown'
    root, revision = done.stdout.splitlines()
    # A folder without .git may be inside another repository.
    return f'commit {revision}' if Path(root) == folder.resolve() else 'commit unknown'


def peer_config(args: argparse.Namespace) -> Config:
    """Return our config of NACLIP on the benchmark in its protocol, with the weights to come."""
    cfg = load_config('naclip/vit-b16', benchmark=args.benchmark, protocol='naclip')
    cfg.model.clip.arch = ARCHS[args.arch]
    cfg.model.decode_head.templates = list(get_templates('imagenet')[: args.templates])
    if not args.pamr:
        cfg.model.test_cfg.pamr = None
    return cfg


def write_weights(arch: str, path: Path) -> None:
    """Write random weights as OpenAI's state dict, in half precision, to which its code rounds."""
    torch.manual_seed(0)
    clip = load_clip(ARCHS[arch])
    # OpenAI's text tower has no prefix.
    state = {key.removeprefix('text.'): value.half() for key, value in clip.state_dict().items()}
    numbers = {
        'input_resolution': clip.visual.image_size[0],
        'context_length': clip.text.context_length,
        'vocab_size': clip.text.vocab_size,
    }
    torch.save({**state, **{key: torch.tensor(value) for key, value in numbers.items()}}, path)


def write_names(vocabulary: Vocabulary, path: Path) -> None:
    """Write the words of each class in NACLIP's format, one line per class.

    Raises:
        ValueError: Several words share an embedding, which NACLIP cannot express.
    """
    lines: list[list[str]] = [[] for _ in range(vocabulary.num_classes)]
    for index, words in zip(vocabulary.row_classes, vocabulary.rows, strict=True):
        if len(words) > 1:
            raise ValueError(f'NACLIP cannot average the synonyms {", ".join(words)}.')
        lines[index] += words
    path.write_text('\n'.join(map(', '.join, lines)), encoding='utf-8')


def make_images(count: int, size: tuple[int, int], resize: dict) -> np.ndarray:
    """Create smooth random images and resize them as the protocol does, ``(N, 3, h, w)`` uint8."""
    rng = np.random.default_rng(0)
    step = TRANSFORMS.build(resize)
    images = []
    for _ in range(count):
        cloud = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        image = cv2.resize(cloud, size[::-1], interpolation=cv2.INTER_CUBIC)
        images.append(step({'img': image})['img'].transpose(2, 0, 1))
    return np.stack(images)


def naclip_options(test_cfg: dict) -> dict[str, Any]:
    """Return the arguments of NACLIP that equal our ``test_cfg``."""
    pamr = test_cfg.get('pamr') or {'steps': 0, 'dilations': ()}
    slide = test_cfg['mode'] == 'slide'
    return {
        'pamr_steps': pamr['steps'],
        'pamr_stride': list(pamr['dilations']),
        'prob_thd': test_cfg.get('threshold', 0.0),
        'logit_scale': test_cfg['logit_scale'],
        'slide_stride': test_cfg['stride'][0] if slide else 0,
        'slide_crop': test_cfg['crop_size'][0] if slide else 0,
    }


def write_settings(args: argparse.Namespace, cfg: Config, folder: Path) -> Path:
    """Write what both sides read: weights, class names, images and options."""
    weights, names, images = (folder / name for name in ('clip.pt', 'names.txt', 'images.npy'))
    write_weights(args.arch, weights)
    write_names(Vocabulary.parse(cfg.model.decode_head.vocabulary), names)
    (resize,) = (step for step in cfg.test_pipeline if 'Resize' in str(step['type']))
    np.save(images, make_images(args.images, tuple(args.image_size), resize))
    cfg.model.clip.pretrained = str(weights)
    cfg.model.decode_head.text_encoder.cache_dir = str(folder / 'cache')
    Config({'model': cfg.model.to_dict()}).dump(folder / 'config.py')
    settings = {
        'checkout': args.checkout and str(args.checkout.resolve()),
        'config': str(folder / 'config.py'),
        'weights': str(weights),
        'names': str(names),
        'images': str(images),
        'ori_shape': args.image_size,
        'templates': len(cfg.model.decode_head.templates),
        'options': naclip_options(cfg.model.test_cfg),
        'out': str(folder),
    }
    path = folder / 'settings.json'
    path.write_text(json.dumps(settings))
    return path


def measure(sides: dict[str, PeerProcess], images: int) -> dict[str, dict[str, Any]]:
    """Measure both stages of each side, the images alternately after a warm-up."""
    results = {side: {'loaded': {'peak': process.loaded}} for side, process in sides.items()}
    for side, process in sides.items():
        results[side]['text'] = process.measure('text')
    results['own']['cached text'] = sides['own'].measure('text')
    steps: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for number in (0, *range(images)):
        order = list(sides) if number % 2 else list(sides)[::-1]
        for side in order:
            steps[side].append(sides[side].measure(f'image {number}'))
    for side, (warm_up, *counted) in steps.items():
        results[side]['image'] = {
            'cpu': median(step['cpu'] for step in counted),
            'added': max(step['added'] for step in (warm_up, *counted)),
        }
    return results


def compare_labels(folder: Path, images: int) -> dict[str, float]:
    """Return the share of pixels with the same label from both sides, and the classes in them."""
    own, other = (
        np.stack([np.load(folder / f'{side}_{number}.npy') for number in range(images)])
        for side in NAMES
    )
    return {'equal': float((own == other).mean()), 'classes': len(np.unique(own))}


def report(results: dict[str, dict[str, Any]]) -> str:
    """Return a table of the sides, and NACLIP's figures divided by ours."""
    head = ''.join(f'{NAMES[side]:>14}' for side in results)
    lines = [f'{"":<32}{head}{"ratio" if len(results) > 1 else "":>8}']
    rows = [
        ('text, CPU s', 'text', 'cpu', 2),
        ('text from the cache, CPU s', 'cached text', 'cpu', 2),
        ('text, MiB added', 'text', 'added', 0),
        ('image, CPU s', 'image', 'cpu', 2),
        ('image, MiB added', 'image', 'added', 0),
        ('process with weights, MiB', 'loaded', 'peak', 0),
    ]
    for title, stage, key, digits in rows:
        values = [result[stage][key] for result in results.values() if stage in result]
        cells = ''.join(f'{value:>14.{digits}f}' for value in values)
        ratio = f'{values[1] / values[0]:>8.1f}' if len(values) > 1 and values[0] else ''
        lines.append(f'{title:<32}{cells}{ratio}')
    return '\n'.join(lines)


def protocol(args: argparse.Namespace, cfg: Config, settings: Path) -> str:
    """Describe what was measured."""
    head, test_cfg = cfg.model.decode_head, cfg.model.test_cfg
    vocabulary = Vocabulary.parse(head.vocabulary)
    size = 'x'.join(map(str, np.load(settings.with_name('images.npy'), mmap_mode='r').shape[2:]))
    windows = 'whole images'
    if test_cfg.mode == 'slide':
        windows = f'windows of {test_cfg.crop_size[0]}, stride {test_cfg.stride[0]}'
    return (
        f'{args.arch}, random weights; {args.benchmark}: {len(vocabulary.rows)} names of '
        f'{vocabulary.num_classes} classes, {len(head.templates)} templates; input {size}, '
        f'labels {"x".join(map(str, args.image_size))}, {windows}, '
        f'{"PAMR" if args.pamr else "no PAMR"}; batch size 1, median of {args.images} images'
    )


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument(
        'checkout', nargs='?', type=Path, help='folder with a checkout of github.com/sinahmr/NACLIP'
    )
    parser.add_argument('--arch', choices=list(ARCHS), default='ViT-B/16')
    parser.add_argument('--benchmark', default='voc20', help='class names, size and windows')
    parser.add_argument(
        '--image-size', type=positive_int, nargs=2, default=(480, 640), metavar=('H', 'W'),
        help='original size of the images',
    )  # fmt: skip
    parser.add_argument('--images', type=positive_int, default=3)
    parser.add_argument(
        '--templates', type=integer_in(1, 80), default=80, help="how many of CLIP's 80 templates"
    )
    parser.add_argument('--pamr', action='store_true', help='with the refinement of the protocol')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> dict[str, dict[str, Any]]:
    args = parse_args(argv)
    if args.checkout is not None:
        check_checkout(args.checkout, REPOSITORY, CHECKOUT_FILES)
    init_default_scope('mmseg')
    cfg = peer_config(args)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as processes:
        settings = write_settings(args, cfg, Path(folder))
        print(f'{describe_machine()}, PyTorch {torch.__version__} with 1 thread')
        print(protocol(args, cfg, settings))
        if args.checkout is None:
            print('No checkout of NACLIP was given: this package alone is measured.')
        else:
            print(f'NACLIP: {args.checkout}, {commit(args.checkout)}')
        names = list(NAMES)[: 1 + (args.checkout is not None)]
        sides = {
            side: processes.enter_context(PeerProcess(SIDES, side, NAMES[side], settings))
            for side in names
        }
        results = measure(sides, args.images)
        print(report(results))
        if not all(process.resets for process in sides.values()):
            print('This system cannot reset peak memory: the memory added is a lower bound.')
        if args.checkout is not None:
            labels = results['labels'] = compare_labels(Path(folder), args.images)
            print(f'labels: {labels["equal"]:.3%} of pixels equal, {labels["classes"]} classes')
            if labels['classes'] == 1:
                print('With one class, which may be due to the threshold, that is no comparison.')
    return results


if __name__ == '__main__':
    run_command(main)
