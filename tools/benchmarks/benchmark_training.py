"""Benchmark speed and peak memory of training and inference, or of single components.

    python tools/benchmarks/benchmark_training.py CONFIG --batch-size 2 --steps 5
    python tools/benchmarks/benchmark_training.py --what pooling          (PixelCLIP; no config)
    python tools/benchmarks/benchmark_training.py --what strong           (PixelCLIP; no config)
    python tools/benchmarks/benchmark_training.py --what contrast views   (CLIP-S4; no config)
    python tools/benchmarks/benchmark_training.py --what labels --classes 847   (no config)

Every measurement runs in a separate process to isolate its peak memory.
"""

import argparse
import logging
import multiprocessing
import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import SimpleNamespace

from mmseg_langseg.apis.command_line import (
    add_config_options,
    command_parser,
    device_name,
    positive_int,
    run_command,
)
from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.models.segmentors import DistilledSegmentor
from mmseg_langseg.models.text_encoders import Vocabulary

import torch
from benchmark_components import (
    NUM_VIEWS,
    WARM_UP,
    measure,
    measure_contrast,
    measure_labels,
    measure_pooling,
    measure_regions,
    measure_segments,
    measure_strong_views,
    measure_warping,
    random_images,
    random_masks,
    random_regions,
)
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmseg.registry import HOOKS, MODELS
from mmseg.structures import SegDataSample

SPEED_HOOKS = ('MatmulPrecisionHook', 'CompileHook')


def build_model(cfg: Config, device: str) -> torch.nn.Module:
    """Build the config's model with random weights: speed and memory do not depend on them."""
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    if 'clip' in cfg.model:
        cfg.model.clip.pretrained = None
    # As the Runner does on one process.
    return revert_sync_batchnorm(MODELS.build(cfg.model)).to(device)


def apply_hooks(cfg: Config, model: torch.nn.Module) -> None:
    """Apply the hooks of the config that change speed, in this process, which ends afterwards."""
    # MMEngine's logger is silent here, but why nothing is compiled must be seen.
    runner = SimpleNamespace(model=model, logger=logging.getLogger('benchmark_training'))
    for hook in cfg.get('custom_hooks', []):
        if hook.type in SPEED_HOOKS:
            hook = HOOKS.build(hook)
            hook.before_run(runner)
            hook.before_train(runner)


def build_training(args: argparse.Namespace) -> tuple[torch.nn.Module, OptimWrapper]:
    """Build model and optimizer of the config, with its precision and compilation."""
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    model = build_model(cfg, args.device).train()
    apply_hooks(cfg, model)
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def mask_batch(args: argparse.Namespace) -> dict:
    """Create a PixelCLIP training batch: two views and unlabeled masks."""
    samples = [SegDataSample() for _ in range(args.batch_size)]
    for sample in samples:
        masks = random_masks(args.masks, tuple(args.mask_size))
        sample.set_field(masks, 'masks', dtype=torch.Tensor)
    size = tuple(args.image_size)
    views = {view: random_images(args.batch_size, size) for view in ('weak', 'strong')}
    return {'inputs': views, 'data_samples': samples}


def view_batch(model: DistilledSegmentor, args: argparse.Namespace) -> dict:
    """Create a batch of views with regions and teacher images, or features without a teacher."""
    size, count = tuple(args.image_size), args.batch_size
    samples = [SegDataSample() for _ in range(count)]
    for sample in samples:
        regions = random_regions(NUM_VIEWS, size, args.regions)
        sample.set_field(regions, 'regions', dtype=torch.Tensor)
        sample.set_field(torch.eye(2, 3).repeat(NUM_VIEWS, 1, 1), 'matrices', dtype=torch.Tensor)
    inputs = {'views': [torch.stack(random_images(NUM_VIEWS, size)) for _ in samples]}
    if model.teacher is not None:
        inputs['image'] = random_images(count, size)
    else:
        shape = (model.decode_head.text_encoder.embed_dim, *args.grid)
        inputs['clip_features'] = [torch.randn(shape).half() for _ in samples]
    return {'inputs': inputs, 'data_samples': samples}


def measure_training(args: argparse.Namespace) -> dict[str, float]:
    """Measure an optimizer step on batches of the config's method, without reading files."""
    model, optim_wrapper = build_training(args)
    views = isinstance(model, DistilledSegmentor)
    data = view_batch(model, args) if views else mask_batch(args)
    return measure(
        lambda: model.train_step(data, optim_wrapper), args.batch_size, args.steps, args.device
    )


def measure_tower(args: argparse.Namespace) -> dict[str, float]:
    """Measure forward and backward pass of the image tower, in the precision of the training."""
    model, optim_wrapper = build_training(args)
    images = torch.randn(args.batch_size, 3, *args.image_size, device=args.device)

    def step() -> None:
        optim_wrapper.zero_grad()
        with optim_wrapper.optim_context(model):
            features = model.backbone(images)[-1]
        features.float().square().mean().backward()

    return measure(step, args.batch_size, args.steps, args.device)


def measure_inference(args: argparse.Namespace) -> dict[str, float]:
    """Measure uint8 images to label maps of the same size, without encoding class names."""
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    model = build_model(cfg, args.device).eval()
    model.set_vocabulary(Vocabulary.from_names([f'thing {i}' for i in range(args.classes)]))
    size = tuple(args.image_size)
    meta = {'ori_shape': size, 'img_shape': size, 'pad_shape': size}
    data = {
        'inputs': random_images(args.batch_size, size),
        'data_samples': [SegDataSample(metainfo=meta) for _ in range(args.batch_size)],
    }
    with torch.no_grad():
        return measure(lambda: model.test_step(data), args.batch_size, args.steps, args.device)


MEASUREMENTS: dict[str, dict[str, Callable[[argparse.Namespace], dict[str, float]]]] = {
    'train': {'training step': measure_training},
    'test': {'inference': measure_inference},
    'tower': {'image tower': measure_tower},
    'pooling': {
        'upsampled features': lambda args: measure_pooling(args, transposed=False),
        'transposed operator': lambda args: measure_pooling(args, transposed=True),
    },
    'contrast': {'contrast': measure_contrast},
    'views': {
        'regions on the fly': measure_regions,
        'warped features': measure_warping,
        'segments': measure_segments,
    },
    'strong': {
        'as in a loader worker': partial(measure_strong_views, batched=False),
        'on the device': partial(measure_strong_views, batched=True),
    },
    'labels': {
        f'{mode}, {way}': partial(measure_labels, slide=mode == 'windows', bounded=way == 'bounded')
        for mode in ('whole', 'windows')
        for way in ('all logits', 'bounded')
    },
}
NEED_CONFIG = {'train', 'test', 'tower'}


def run_one(what: str, name: str, args: argparse.Namespace) -> dict[str, float]:
    """Run one measurement; the entry point of its process."""
    MMLogger.get_instance('mmengine', log_level='ERROR')
    set_random_seed(0)
    return MEASUREMENTS[what][name](args)


def machine(device: str) -> str:
    """Describe the machine of the measurements."""
    if device.startswith('cuda'):
        processor = torch.cuda.get_device_name(device)
    else:
        processor = f'{platform.machine()} CPU, {torch.get_num_threads()} of {os.cpu_count()} cores'
    return f'{processor}; torch {torch.__version__}; Python {platform.python_version()}'


def protocol(what: str, args: argparse.Namespace) -> str:
    """Describe what was measured, with its sizes."""
    batch = f'batch {args.batch_size}, mean of {args.steps} steps after {WARM_UP}'
    masks = f'{args.masks} masks of {"x".join(map(str, args.mask_size))} per image'
    images = 'x'.join(map(str, args.image_size))
    if what == 'pooling':
        return f'{args.channels} channels on {"x".join(map(str, args.grid))}, {masks}, {batch}'
    if what in ('contrast', 'views'):
        sizes = f'{args.channels} channels on {"x".join(map(str, args.grid))}'
        return f'two views, {sizes}, {args.regions} regions, images of {images}, {batch}'
    if what == 'strong':
        return f'strong views of images of {images}, {batch}'
    if what == 'labels':
        return (
            f'dense features to label maps, images of {images}, {args.classes} classes, '
            f'{args.channels} channels, 64x64 features or windows of 336 with stride 112 (ViT/16), '
            f'mean of {args.steps} steps after {WARM_UP}'
        )
    if what == 'tower':
        return f'random weights, images of {images}, forward and backward pass, {batch}'
    if what == 'train':
        parts = f'{masks} (PixelCLIP) or {args.regions} regions (CLIP-S4)'
        return f'random weights, two views of {images}, {parts}, {batch}'
    return f'random weights, images of {images}, {args.classes} classes, {batch}'


def format_row(name: str, figures: dict[str, float]) -> str:
    """Format a line of the report; CPU: time of all cores, +: peak memory added by the steps."""
    added = figures['peak_memory_mib'] - figures['memory_before_mib']
    line = (
        f'  {name:20} {figures["images_per_second"]:9.2f} images/s '
        f'{figures["seconds"] * 1e3:10.1f} ms/step (CPU {figures["cpu_seconds"] * 1e3:.1f}) '
        f'peak {figures["peak_memory_mib"]:8.0f} MiB (+{added:.0f})'
    )
    if 'max_difference' in figures:
        line += f', largest difference {figures["max_difference"]:.1e}'
    if 'different_labels' in figures:
        line += f', {figures["different_labels"]} pixels differ'
    if 'segments' in figures:
        line += f', {figures["segments"]} segments'
    return line


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser('Measure speed and peak memory.')
    parser.add_argument('config', nargs='?', help='config file; for train and test')
    parser.add_argument(
        '--what', nargs='+', choices=list(MEASUREMENTS), help='default: train and test'
    )
    parser.add_argument('--batch-size', type=positive_int, default=2)
    parser.add_argument('--steps', type=positive_int, default=5)
    parser.add_argument(
        '--device', type=device_name, default=get_device(), help='default: a GPU if there is one'
    )
    parser.add_argument(
        '--image-size', type=positive_int, nargs=2, default=(640, 640), metavar=('H', 'W')
    )
    parser.add_argument('--masks', type=positive_int, default=64, help='masks per image')
    parser.add_argument(
        '--mask-size', type=positive_int, nargs=2, default=(256, 256), metavar=('H', 'W')
    )
    parser.add_argument('--classes', type=positive_int, default=150, help='classes at inference')
    parser.add_argument('--regions', type=positive_int, default=48, help='regions per image')
    parser.add_argument(
        '--channels', type=positive_int, default=512, help='feature channels of the components'
    )
    parser.add_argument('--grid', type=positive_int, nargs=2, default=(20, 20), metavar=('H', 'W'))
    parser.add_argument(
        '--compare-labels',
        action='store_true',
        help='labels: count the pixels that differ, which needs the memory of both ways',
    )
    add_config_options(parser, 'model.backbone.readout=value')
    args = parser.parse_args(argv)
    args.what = args.what or ['train', 'test']
    if args.config is None and NEED_CONFIG & set(args.what):
        parser.error('CONFIG is missing; only the components need none')
    return args


def main(argv: Sequence[str] | None = None) -> list[dict]:
    args = parse_args(argv)
    if args.config is not None:
        load_config(args.config, cfg_options=args.cfg_options)  # errors before a process starts
    print(machine(args.device))
    rows = []
    for what in args.what:
        print(f'{what}: {args.config or ""} {protocol(what, args)}')
        for name in MEASUREMENTS[what]:
            context = multiprocessing.get_context('spawn')
            with ProcessPoolExecutor(1, mp_context=context) as process:
                figures = process.submit(run_one, what, name, args).result()
            rows.append({'what': name, **figures})
            print(format_row(name, figures), flush=True)
    return rows


if __name__ == '__main__':
    run_command(main)
