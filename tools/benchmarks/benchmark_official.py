"""Benchmark a training step against a checkout of PixelCLIP: time, memory, losses and gradients.

    git clone https://github.com/cvlab-kaist/PixelCLIP PixelCLIP
    python tools/benchmarks/benchmark_official.py PixelCLIP --device cpu
    python tools/benchmarks/benchmark_official.py PixelCLIP --batch-size 12 --steps 5   (on a GPU)
    python tools/benchmarks/benchmark_official.py   (this package alone)

Both train PixelCLIP with ViT-B/16 on the same random weights, images and masks, each in its own
process, on one thread of the CPU or on one GPU: forward and backward pass, gradient clipping, AdamW
and the momentum teacher. Steps are run alternately. Loading images is not part of a step; the
official code gets its masks at the size of the images and resizes them, this package gets them
resized by its data loader.

The code in the checkout is executed and not changed. detectron2 need not be installed: the model
gets stand-ins for the names that it imports, and the optimizer is built here with the settings of
``train_net.py``. The output names the stand-ins.
"""

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmseg_langseg.apis.command_line import (
    add_config_options,
    command_parser,
    device_name,
    positive_int,
    run_command,
)
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.models.decode_heads.mask_decoder import MaskDecoder

import torch
import torch.nn.functional as F
from benchmark_components import random_masks
from benchmark_loading import describe_machine
from benchmark_peers import ARCHS, check_checkout, commit, write_weights
from mmengine.config import Config
from official_report import (
    NAMES,
    compare_start,
    compare_training,
    report,
    report_differences,
    summarize,
)
from peer_process import PeerProcess
from torch import Tensor

SIDES = Path(__file__).with_name('official_sides.py')
REPOSITORY = 'cvlab-kaist/PixelCLIP'
CHECKOUT_FILES = (
    'configs/pixelclip_vit_base.yaml',
    'pixelclip/config.py',
    'pixelclip/pixelclip.py',
    'pixelclip/third_party/clip.py',
)
# Sides of the images, of CLIP's input and of the masks, and the number of clusters.
SIZES = {
    'ViT-B/16': {'images': 640, 'input': 320, 'masks': 256, 'clusters': 64},
    'tiny': {'images': 160, 'input': 64, 'masks': 64, 'clusters': 8},
}


def training_config(args: argparse.Namespace, weights: Path) -> Config:
    """Return the model and the optimizer of our config, at the sizes of both sides.

    Raises:
        ValueError: The config does not train PixelCLIP with clusters.
    """
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    model = cfg.get('model', {})
    if model.get('type') != 'PixelCLIP' or model.decode_head.prompts is None:
        raise ValueError(
            f"'{args.config}' does not train PixelCLIP with clusters: expected a config like "
            'pixelclip/vit-b16_coco.'
        )
    sizes = SIZES[args.arch]
    cfg.model.clip = dict(arch=ARCHS[args.arch], pretrained=str(weights))
    cfg.model.data_preprocessor.input_size = (sizes['input'],) * 2
    cfg.model.decode_head.prompts.num_clusters = sizes['clusters']
    cfg.model.decode_head.text_encoder.cache_dir = None
    if args.amp:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'
    precisions = [hook.precision for hook in cfg.custom_hooks if hook.type == 'MatmulPrecisionHook']
    return Config(
        {
            'model': cfg.model.to_dict(),
            'optim_wrapper': cfg.optim_wrapper.to_dict(),
            'env_cfg': {'cudnn_benchmark': cfg.env_cfg.get('cudnn_benchmark', False)},
            'matmul_precision': precisions[0] if precisions else 'highest',
        }
    )


def random_views(count: int, size: int) -> Tensor:
    """Create smooth random images ``(count, 3, size, size)`` uint8."""
    clouds = 255 * torch.rand(count, 3, 16, 16)
    images = F.interpolate(clouds, (size, size), mode='bicubic', align_corners=False)
    return images.clamp_(0, 255).byte()


def enlarge(masks: Tensor, size: int) -> Tensor:
    """Enlarge masks ``(N, h, h)`` such that resizing them to h by nearest neighbor restores them.

    Args:
        masks: Any type.
        size: New side, a multiple of h / 2, so that the ratio is an exact number.
    """
    side = masks.shape[-1]
    # The inverse of floor(i * size / side), by which the nearest neighbor is chosen.
    source = (-(-torch.arange(size) * side // size)).clamp_max(side - 1)
    return masks[:, source][:, :, source]


def write_settings(args: argparse.Namespace, folder: Path) -> Path:
    """Write what both sides read: weights, images, masks and options."""
    sizes = SIZES[args.arch]
    names = ('weights', 'decoder', *(f'{side}_inputs' for side in NAMES))
    files = {name: folder / f'{name}.pt' for name in names}
    cfg = training_config(args, files['weights'])
    cfg.dump(folder / 'config.py')
    write_weights(args.arch, files['weights'])
    torch.manual_seed(0)
    torch.save(MaskDecoder().state_dict(), files['decoder'])
    masks = [random_masks(args.masks, (sizes['masks'],) * 2) for _ in range(args.batch_size)]
    inputs = {view: random_views(args.batch_size, sizes['images']) for view in ('weak', 'strong')}
    torch.save({**inputs, 'masks': masks}, files['own_inputs'])
    if args.checkout is not None:
        large = [enlarge(part, sizes['images']) for part in masks]
        torch.save({**inputs, 'masks': large}, files['official_inputs'])
    (folder / 'names.json').write_text('["cat", "dog"]')
    settings = {
        **{name: str(path) for name, path in files.items()},
        'checkout': args.checkout and str(args.checkout.resolve()),
        'config': str(folder / 'config.py'),
        'names': str(folder / 'names.json'),
        'sizes': sizes,
        'device': args.device,
        'amp': args.amp,
        'out': str(folder),
    }
    path = folder / 'settings.json'
    path.write_text(json.dumps(settings))
    return path


def measure(sides: dict[str, PeerProcess], steps: int) -> dict[str, list[dict[str, Any]]]:
    """Run steps of the sides alternately; return the figures of each.

    The first step of each side writes its gradients and is not measured.
    """
    results = {side: [process.ask('first gradients')] for side, process in sides.items()}
    for number in range(steps):
        for side in list(sides)[:: 1 if number % 2 else -1]:
            results[side].append(sides[side].ask('step'))
    return results


def protocol(args: argparse.Namespace) -> str:
    """Describe what is measured."""
    sizes = SIZES[args.arch]
    return (
        f'{args.config}: {args.arch}, random weights, {sizes["clusters"]} clusters, '
        f'{"bfloat16" if args.amp else "float32"}; batch {args.batch_size} of two views of '
        f'{sizes["images"]}x{sizes["images"]}, resized to {sizes["input"]}x{sizes["input"]}; '
        f'{args.masks} masks of {sizes["masks"]}x{sizes["masks"]} per image; '
        f'{args.steps} steps after 1'
    )


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument(
        'checkout', nargs='?', type=Path, help=f'folder with a checkout of github.com/{REPOSITORY}'
    )
    parser.add_argument('--config', default='pixelclip/vit-b16_coco', help="this package's config")
    parser.add_argument('--arch', choices=list(SIZES), default='ViT-B/16')
    parser.add_argument('--batch-size', type=positive_int, default=4)
    parser.add_argument('--masks', type=positive_int, default=64, help='masks per image')
    parser.add_argument(
        '--steps', type=positive_int, default=1, help='measured steps, after one that is not'
    )
    parser.add_argument(
        '--device', type=device_name, default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--amp', action='store_true', help='bfloat16 on both sides')
    add_config_options(parser, 'model.backbone.with_cp=True')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse_args(argv)
    if args.checkout is not None:
        check_checkout(args.checkout, REPOSITORY, CHECKOUT_FILES)
    on_gpu = args.device.startswith('cuda')
    with tempfile.TemporaryDirectory() as name, ExitStack() as processes:
        folder = Path(name)
        settings = write_settings(args, folder)
        gpu = f'{torch.cuda.get_device_name(args.device)}; ' if on_gpu else ''
        print(f'{gpu}{describe_machine()}, PyTorch {torch.__version__} with 1 thread')
        print(protocol(args), flush=True)
        sides = {
            side: processes.enter_context(PeerProcess(SIDES, side, NAMES[side], settings))
            for side in list(NAMES)[: 1 + (args.checkout is not None)]
        }
        if args.checkout is None:
            print('No checkout of PixelCLIP was given: this package alone is measured.')
        else:
            stand_ins = ', '.join(sides['official'].ready['stand_ins']) or 'no library'
            print(f'official: {args.checkout}, {commit(args.checkout)}; stand-ins: {stand_ins}')
            start = compare_start(folder, sides)
        results = measure(sides, args.steps)
        clusters = results['own'][-1]['clusters']
        print(f'{clusters} of {SIZES[args.arch]["clusters"]} clusters have masks')
        summary = summarize(sides, results)
        print(report(summary, args.batch_size, on_gpu))
        if not all(process.resets for process in sides.values()):
            print('This system cannot reset peak memory: the peak includes loading.')
        if args.checkout is not None:
            summary['differences'] = {'start': start, **compare_training(folder, sides)}
            print(report_differences(summary['differences']))
    return summary


if __name__ == '__main__':
    run_command(main)
