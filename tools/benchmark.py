"""Speed and peak memory of a config's training step and inference, or of single parts.

``python tools/benchmark.py CONFIG --batch-size 2 --steps 5``; parts need no config:
``python tools/benchmark.py --what pooling`` (PixelCLIP), ``--what contrast views`` (CLIP-S4).
Every measurement runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import torch
import torch.nn.functional as F
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_langseg.apis.launch import load_config
from mmseg_langseg.masks import felzenszwalb_regions
from mmseg_langseg.models.losses import pixel_segment_contrast
from mmseg_langseg.models.segmentors import DistilledSegmentor
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import (
    find_segments,
    mask_pool,
    region_labels,
    segment_embeddings,
    segment_pixels,
    warp_features,
)

WARM_UP = 1
NUM_VIEWS = 2


def peak_memory(device: str) -> float:
    """Peak memory of this process in MiB: the GPU's, or on a CPU the resident set's."""
    if device.startswith('cuda'):
        return torch.cuda.max_memory_allocated(device) / 2**20
    # In KiB on Linux, in bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == 'darwin' else 2**10
    )


def measure(step: Callable[[], object], images: int, steps: int, device: str) -> dict[str, float]:
    """Time ``steps`` calls after a warm-up of one, and read the peak memory before and after."""
    memory_before = peak_memory(device)
    for number in range(WARM_UP + steps):
        if number == WARM_UP:
            start = time.perf_counter()
        step()
        if device.startswith('cuda'):
            torch.cuda.synchronize(device)
    seconds = (time.perf_counter() - start) / steps
    return {
        'seconds': seconds,
        'images_per_second': images / seconds,
        'memory_before_mib': memory_before,
        'peak_memory_mib': peak_memory(device),
    }


def build_model(cfg: Config, device: str) -> torch.nn.Module:
    """Build the config's model with random weights: speed and memory do not depend on them."""
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    if 'clip' in cfg.model:
        cfg.model.clip.pretrained = None
    # As the Runner does on one process.
    return revert_sync_batchnorm(MODELS.build(cfg.model)).to(device)


def random_images(number: int, size: tuple[int, int]) -> list[torch.Tensor]:
    """Return ``number`` uint8 images ``(3, H, W)``."""
    return [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for _ in range(number)]


def random_masks(number: int, size: tuple[int, int]) -> torch.Tensor:
    """Return ``(number, H, W)`` bool rectangles of random place and size."""
    corners = torch.rand(number, 2, 2).sort(dim=1).values
    inside = [
        (torch.linspace(0, 1, length) >= corners[:, 0, axis, None])
        & (torch.linspace(0, 1, length) <= corners[:, 1, axis, None])
        for axis, length in enumerate(size)
    ]
    return inside[0][:, :, None] & inside[1][:, None, :]


def random_regions(number: int, size: tuple[int, int], regions: int) -> torch.Tensor:
    """Return ``(number, H, W)`` int32 maps: every pixel belongs to the nearest of random places."""
    axes = [torch.linspace(0, 1, length) for length in size]
    pixels = torch.stack(torch.meshgrid(*axes, indexing='ij'), dim=-1).flatten(0, 1)
    places = torch.rand(number, regions, 2)
    return torch.stack([torch.cdist(pixels, p).argmin(1) for p in places]).view(-1, *size).int()


def mask_batch(args: argparse.Namespace) -> dict:
    """Two views and unlabelled masks, as PixelCLIP trains on."""
    samples = [SegDataSample() for _ in range(args.batch_size)]
    for sample in samples:
        masks = random_masks(args.masks, tuple(args.mask_size))
        sample.set_field(masks, 'masks', dtype=torch.Tensor)
    size = tuple(args.image_size)
    views = {view: random_images(args.batch_size, size) for view in ('weak', 'strong')}
    return {'inputs': views, 'data_samples': samples}


def view_batch(model: DistilledSegmentor, args: argparse.Namespace) -> dict:
    """Augmented views with regions and the teacher's image, or features if there is no teacher."""
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
    """One optimiser step on the batches of the config's method; reading files is not in it."""
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    model = build_model(cfg, args.device).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    views = isinstance(model, DistilledSegmentor)
    data = view_batch(model, args) if views else mask_batch(args)
    return measure(
        lambda: model.train_step(data, optim_wrapper), args.batch_size, args.steps, args.device
    )


def measure_inference(args: argparse.Namespace) -> dict[str, float]:
    """From uint8 images to label maps of the same size; encoding the words is not in it."""
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


def pooling_inputs(args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features ``(B, D, h, w)``, masks ``(B n, H, W)`` and the image of each mask."""
    features = torch.randn(args.batch_size, args.channels, *args.grid, device=args.device)
    masks = random_masks(args.batch_size * args.masks, tuple(args.mask_size)).to(args.device)
    image_index = torch.arange(args.batch_size, device=args.device).repeat_interleave(args.masks)
    return features, masks, image_index


def pool_upsampled(features: torch.Tensor, masks: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """Mean over each mask by building the features at mask resolution: what we avoid."""
    large = F.interpolate(features, masks.shape[1:], mode='bilinear', align_corners=False)
    weights = masks.view(len(features), -1, masks[0].numel()).float()
    total = torch.bmm(weights, large.flatten(2).transpose(1, 2))
    return (total / weights.sum(2, keepdim=True).clamp_min(1)).flatten(0, 1)


def measure_pooling(args: argparse.Namespace, transposed: bool) -> dict[str, float]:
    """Mean features of all masks of a batch, by the transposed operator or upsampled."""
    inputs = pooling_inputs(args)
    pool = mask_pool if transposed else pool_upsampled
    with torch.no_grad():
        figures = measure(lambda: pool(*inputs), args.batch_size, args.steps, args.device)
        if transposed:
            # A slice, so that the check does not count as memory that we need; after the figures.
            part = [inputs[0][:1], inputs[1][: args.masks], inputs[2][: args.masks]]
            figures['max_difference'] = (pool(*part) - pool_upsampled(*part)).abs().max().item()
    return figures


def embedded_views(args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings ``(N, D, h, w)`` and regions ``(N, h, w)`` of the views of a batch."""
    count = NUM_VIEWS * args.batch_size
    embeddings = torch.randn(count, args.channels, *args.grid, device=args.device)
    return embeddings, random_regions(count, tuple(args.grid), args.regions).to(args.device)


def measure_contrast(args: argparse.Namespace) -> dict[str, float]:
    """CLIP-S4's contrast, forward and backward, from the pixel embeddings on."""
    embeddings, regions = embedded_views(args)
    # Few channels, so that finding the segments leaves no peak. Noise gives more of them than
    # embeddings that are smooth: an upper bound.
    segments = find_segments(embeddings[:, :8], regions)
    image_index = torch.arange(args.batch_size, device=args.device).repeat_interleave(NUM_VIEWS)
    labels = region_labels(segments, image_index)
    embeddings.requires_grad_()

    def step() -> None:
        embeddings.grad = None
        pixels, ids = segment_pixels(embeddings, segments)
        rows = segment_embeddings(embeddings, segments)
        pixel_segment_contrast(pixels, ids, rows, labels).backward()

    figures = measure(step, args.batch_size, args.steps, args.device)
    return {**figures, 'segments': len(labels)}


def measure_segments(args: argparse.Namespace) -> dict[str, float]:
    """CLIP-S4's k-means of all views of a batch, cut at the regions."""
    views = embedded_views(args)
    return measure(lambda: find_segments(*views), args.batch_size, args.steps, args.device)


def measure_warping(args: argparse.Namespace) -> dict[str, float]:
    """The teacher's features of a batch (32x32) on the grids of the views."""
    features = torch.randn(args.batch_size, args.channels, 32, 32, device=args.device)
    matrices = torch.eye(2, 3, device=args.device).repeat(args.batch_size, NUM_VIEWS, 1, 1)
    size = tuple(args.grid)
    return measure(
        lambda: warp_features(features, matrices, size), args.batch_size, args.steps, args.device
    )


def measure_regions(args: argparse.Namespace) -> dict[str, float]:
    """Regions on the fly, on the CPU, of blotches that are about as busy as a photo."""
    coarse = torch.rand(args.batch_size, 3, 40, 40) * 255
    images = F.interpolate(coarse, size=tuple(args.image_size), mode='bicubic').clamp(0, 255)
    images = images.permute(0, 2, 3, 1).byte().numpy()
    return measure(
        lambda: [felzenszwalb_regions(image) for image in images],
        args.batch_size,
        args.steps,
        args.device,
    )


MEASUREMENTS: dict[str, dict[str, Callable[[argparse.Namespace], dict[str, float]]]] = {
    'train': {'training step': measure_training},
    'test': {'inference': measure_inference},
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
}
NEED_CONFIG = {'train', 'test'}


def run_one(what: str, name: str, args: argparse.Namespace) -> dict[str, float]:
    """Run one measurement; the entry point of its process."""
    MMLogger.get_instance('mmengine', log_level='ERROR')
    set_random_seed(0)
    return MEASUREMENTS[what][name](args)


def machine(device: str) -> str:
    """Describe what the figures were taken on."""
    if device.startswith('cuda'):
        processor = torch.cuda.get_device_name(device)
    else:
        processor = f'{platform.machine()} CPU, {torch.get_num_threads()} of {os.cpu_count()} cores'
    return f'{processor}; torch {torch.__version__}; Python {platform.python_version()}'


def protocol(what: str, args: argparse.Namespace) -> str:
    """Describe what was measured, with its sizes."""
    batch = f'batch {args.batch_size}, mean of {args.steps} steps after {WARM_UP}'
    masks = f'{args.masks} masks of {"x".join(map(str, args.mask_size))} an image'
    images = 'x'.join(map(str, args.image_size))
    if what == 'pooling':
        return f'{args.channels} channels on {"x".join(map(str, args.grid))}, {masks}, {batch}'
    if what in ('contrast', 'views'):
        sizes = f'{args.channels} channels on {"x".join(map(str, args.grid))}'
        return f'two views, {sizes}, {args.regions} regions, images of {images}, {batch}'
    if what == 'train':
        parts = f'{masks} (PixelCLIP) or {args.regions} regions (CLIP-S4)'
        return f'random weights, two views of {images}, {parts}, {batch}'
    return f'random weights, images of {images}, {args.classes} classes, {batch}'


def format_row(name: str, figures: dict[str, float]) -> str:
    """One line of the report; the number after + is what the steps added to the peak."""
    added = figures['peak_memory_mib'] - figures['memory_before_mib']
    line = (
        f'  {name:20} {figures["images_per_second"]:9.2f} images/s '
        f'{figures["seconds"] * 1e3:10.1f} ms/step '
        f'peak {figures["peak_memory_mib"]:8.0f} MiB (+{added:.0f})'
    )
    if 'max_difference' in figures:
        line += f', largest difference {figures["max_difference"]:.1e}'
    if 'segments' in figures:
        line += f', {figures["segments"]} segments'
    return line


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure speed and peak memory.')
    parser.add_argument('config', nargs='?', help='config file; for train and test')
    parser.add_argument(
        '--what', nargs='+', choices=list(MEASUREMENTS), help='default: train and test'
    )
    parser.add_argument('--batch-size', type=int, default=2)
    parser.add_argument('--steps', type=int, default=5)
    parser.add_argument('--device', default=get_device(), help='default: a GPU if there is one')
    parser.add_argument('--image-size', type=int, nargs=2, default=(640, 640), metavar=('H', 'W'))
    parser.add_argument('--masks', type=int, default=64, help='masks an image')
    parser.add_argument('--mask-size', type=int, nargs=2, default=(256, 256), metavar=('H', 'W'))
    parser.add_argument('--classes', type=int, default=150, help='words at inference')
    parser.add_argument('--regions', type=int, default=48, help='regions an image')
    parser.add_argument('--channels', type=int, default=512, help='of features, for the parts')
    parser.add_argument('--grid', type=int, nargs=2, default=(20, 20), metavar=('H', 'W'))
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args(argv)
    args.what = args.what or ['train', 'test']
    if args.config is None and NEED_CONFIG & set(args.what):
        parser.error('CONFIG is missing; only the parts need none')
    if args.steps < 1 or args.batch_size < 1:
        parser.error('--steps and --batch-size must be at least 1')
    return args


def main(argv: Sequence[str] | None = None) -> list[dict]:
    args = parse_args(argv)
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
    main()
