"""Benchmark the generator 'sam' against SamAutomaticMaskGenerator, in images per second.

    python tools/benchmarks/benchmark_sam.py --model vit_h --checkpoint sam_vit_h_4b8939.pth --amp
    python tools/benchmarks/benchmark_sam.py --model tiny --images 8 --size 96 128

Creates images and generates their masks alternately in these ways, with the same settings:

* one by one: SamAutomaticMaskGenerator.generate, in float32.
* batched: SAMGenerator with --images-per-batch, in float32. The masks must equal those of the
  first way, or the benchmark fails.
* batched, AMP (with --amp): the same in mixed precision; the share of equal masks is printed.

Without a checkpoint the weights are random. Their predicted IoUs are meaningless: they are shifted
so that the threshold keeps a share of the masks (--keep), and all other filters are off. Peak
memory (on the GPU, or in total) is that of a separate process, which runs one way on one batch.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from mmseg_langseg.apis.command_line import (
    command_parser,
    device_name,
    number_in,
    positive_int,
    run_command,
)
from mmseg_langseg.apis.launch import check_checkpoint
from mmseg_langseg.masks.generators import SAMGenerator
from mmseg_langseg.masks.generators.sam_generator import load_sam

import cv2
import numpy as np
import torch
from benchmark_components import peak_memory
from benchmark_loading import describe_machine
from pycocotools import mask as coco_mask

# For a random model, whose masks are not stable and have similar boxes.
UNFILTERED = dict(pred_iou_thresh=1.0, stability_score_thresh=0.0, box_nms_thresh=1.0)
WAYS = ('one by one', 'batched', 'batched, AMP')
# Rounding may move a border by a pixel.
EQUAL_IOU = 0.99

Annotations = list[list[dict]]
Way = Callable[[list[np.ndarray]], Annotations]


def make_images(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Create smooth random images, (H, W, 3) uint8."""
    rng = np.random.default_rng(0)
    clouds = [rng.integers(0, 256, (6, 8, 3)).astype(np.uint8) for _ in range(count)]
    return [cv2.resize(cloud, size[::-1], interpolation=cv2.INTER_CUBIC) for cloud in clouds]


def build_sam(model: str, checkpoint: str | None) -> torch.nn.Module:
    """Build a SAM by its name, or a tiny one from the modules of segment_anything."""
    from segment_anything import modeling, sam_model_registry

    torch.manual_seed(0)
    if model != 'tiny':
        return load_sam(model, checkpoint) if checkpoint else sam_model_registry[model]()
    encoder = modeling.ImageEncoderViT(
        img_size=64, patch_size=16, embed_dim=16, depth=1, num_heads=2, out_chans=16
    )
    prompts = modeling.PromptEncoder(
        embed_dim=16, image_embedding_size=(4, 4), input_image_size=(64, 64), mask_in_chans=4
    )
    transformer = modeling.TwoWayTransformer(depth=1, embedding_dim=16, mlp_dim=16, num_heads=2)
    return modeling.Sam(
        encoder, prompts, modeling.MaskDecoder(transformer_dim=16, transformer=transformer)
    )


def shift_scores(sam: torch.nn.Module, image: np.ndarray, keep: float) -> None:
    """Shift a model's predicted IoUs so that a share of an image's masks is above 1."""
    from mmseg_langseg.masks.generators.sam_predictor import BatchSamPredictor

    predictor = BatchSamPredictor(sam)
    predictor.set_image(image)
    grid = (np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(-1, 2) + 0.5) / 8
    scores = predictor.predict_points(grid * image.shape[1::-1], image.shape[:2])[1]
    bias = sam.mask_decoder.iou_prediction_head.layers[-1].bias
    bias.data += 1 - torch.quantile(scores, 1 - keep) + 1e-6


def build_ways(args: argparse.Namespace, image: np.ndarray) -> dict[str, Way]:
    """Build the ways by name; all share one model."""
    from segment_anything import SamAutomaticMaskGenerator

    options = dict(points_per_side=args.points_per_side, points_per_batch=args.points_per_batch)
    sam = build_sam(args.model, args.checkpoint).to(args.device).eval()
    if args.checkpoint is None:
        options |= UNFILTERED
        shift_scores(sam, image, args.keep)
    alone = SamAutomaticMaskGenerator(sam, output_mode='coco_rle', **options)
    ways = {WAYS[0]: lambda images: [alone.generate(image) for image in images]}
    for name, amp in zip(WAYS[1 : 2 + args.amp], (False, True), strict=False):
        ways[name] = _in_batches(
            SAMGenerator(sam, None, args.device, args.images_per_batch, amp, **options)
        )
    return ways


def _in_batches(generator: SAMGenerator) -> Way:
    size = generator.batch_size

    def make(images: list[np.ndarray]) -> Annotations:
        starts = range(0, len(images), size)
        batches = [generator.masks_of_batch(images[i : i + size]) for i in starts]
        return [annotations for batch in batches for annotations in batch]

    return make


def check_equal(one: Annotations, other: Annotations) -> int:
    """Count identical masks; raise AssertionError if others differ below ``EQUAL_IOU``."""
    assert any(one), 'no image has a mask: nothing was compared'
    same = 0
    for number, (masks, others) in enumerate(zip(one, other, strict=True)):
        mine, theirs = _group_by_point(masks), _group_by_point(others)
        counts, other_counts = ({p: len(rles) for p, rles in g.items()} for g in (mine, theirs))
        assert counts == other_counts, f'image {number}: masks of other points'
        for point, rles in mine.items():
            for rle in rles:
                # Empty masks have no IoU.
                equal = rle in theirs[point]
                same += equal
                iou = coco_mask.iou([rle], theirs[point], [0] * len(theirs[point])).max()
                assert equal or iou >= EQUAL_IOU, f'image {number}: masks differ, IoU {iou:.3f}'
    return same


def _group_by_point(annotations: list[dict]) -> dict[tuple, list[dict]]:
    """Group masks by prompt; their overall order depends on the last bit of a score."""
    groups = {}
    for annotation in annotations:
        point = tuple(annotation['point_coords'][0])
        groups.setdefault(point, []).append(annotation['segmentation'])
    return groups


def count_found(masks: Annotations, others: Annotations) -> int:
    """Count the masks of one way with a counterpart of IoU above 0.9 in the other."""
    found = 0
    for one, other in zip(masks, others, strict=True):
        rles, other_rles = (
            [a['segmentation'] for a in annotations] for annotations in (one, other)
        )
        if rles and other_rles:
            ious = coco_mask.iou(rles, other_rles, [0] * len(other_rles))
            found += int((ious.max(1) > 0.9).sum())
    return found


def measure(ways: dict[str, Way], images: list[np.ndarray], repeats: int) -> dict[str, dict]:
    """Run all ways alternately after a warm-up; return the masks and median seconds of each."""
    results = {name: dict(wall=[], cpu=[]) for name in ways}
    for visit in range(-1, repeats):
        for name, make in ways.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            # The results are on the CPU, so no synchronization is needed.
            results[name]['masks'] = make(images)
            if visit >= 0:
                results[name]['wall'].append(time.perf_counter() - start)
                results[name]['cpu'].append(time.process_time() - cpu_start)
    for result in results.values():
        result |= {clock: float(np.median(result[clock])) for clock in ('wall', 'cpu')}
    return results


def in_own_process(function: Callable, *args) -> Any:
    """Call a function in another process."""
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(function, *args).result()


def measure_memory(args: argparse.Namespace, name: str) -> float:
    """Run one way on one batch; return the peak memory of the process in MiB."""
    images = make_images(min(args.images, args.images_per_batch), tuple(args.size))
    build_ways(args, images[0])[name](images)
    return peak_memory(args.device)


def report(results: dict[str, dict], count: int) -> str:
    """Return a table of the ways."""
    lines = [f'{"":<16}{"images/s":>12}{"CPU s/image":>14}{"peak MiB":>10}{"masks":>8}']
    for name, result in results.items():
        masks = sum(map(len, result['masks']))
        rate, cpu = count / result['wall'], result['cpu'] / count
        lines.append(f'{name:<16}{rate:>12.4g}{cpu:>14.4g}{result["memory"]:>10.0f}{masks:>8}')
    return '\n'.join(lines)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--model', choices=('vit_h', 'vit_l', 'vit_b', 'tiny'), default='vit_b')
    parser.add_argument('--checkpoint', help='weights of the model; default: random weights')
    parser.add_argument('--images', type=positive_int, default=8)
    parser.add_argument(
        '--size', type=positive_int, nargs=2, default=(480, 640), metavar=('HEIGHT', 'WIDTH')
    )
    parser.add_argument('--images-per-batch', type=positive_int, default=4)
    parser.add_argument('--points-per-side', type=positive_int, default=32)
    parser.add_argument('--points-per-batch', type=positive_int, default=64)
    parser.add_argument(
        '--keep',
        type=number_in(0, 1, above=True),
        default=0.5,
        help='share of the masks to keep with random weights',
    )
    parser.add_argument('--amp', action='store_true', help='measure mixed precision as well')
    parser.add_argument(
        '--device', type=device_name, default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument(
        '--repeats', type=positive_int, default=3, help='runs of each way after a warm-up'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> dict[str, dict]:
    args = parse_args(argv)
    if args.checkpoint is not None:
        check_checkpoint(args.checkpoint)
    images = make_images(args.images, tuple(args.size))
    # First, as Linux counts the memory of a parent process in the peak of its child.
    memory = {name: in_own_process(measure_memory, args, name) for name in WAYS[: 2 + args.amp]}
    results = measure(build_ways(args, images[0]), images, args.repeats)
    for name, peak in memory.items():
        results[name]['memory'] = peak
    plain = results['one by one']['masks']
    same = check_equal(plain, results['batched']['masks'])
    total = sum(map(len, plain))
    gpu = f'{torch.cuda.get_device_name(args.device)}; ' if args.device.startswith('cuda') else ''
    threads = torch.get_num_threads()
    print(f'{gpu}{describe_machine()}, PyTorch {torch.__version__} with {threads} threads')
    print(
        f'SAM {args.model}, {args.checkpoint or f"random weights, {args.keep:.0%} kept"}; '
        f'{args.images} images of {args.size[0]} x {args.size[1]}, '
        f'{args.images_per_batch} per batch, '
        f'{args.points_per_side}² points, {args.points_per_batch} per batch; '
        f'median of {args.repeats} runs of each way, alternately, after a warm-up'
    )
    print(report(results, args.images))
    print(f'batched: the same masks, {same} of {total} pixel-identical')
    if args.amp:
        found = count_found(plain, results['batched, AMP']['masks'])
        print(f'AMP: {found} of {total} masks have a counterpart of IoU > 0.9')
    return results


if __name__ == '__main__':
    run_command(main)
