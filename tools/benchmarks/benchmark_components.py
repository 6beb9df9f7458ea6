"""Timing and component benchmarks for tools/benchmarks/benchmark_training.py."""

import argparse
import time
from collections.abc import Callable

from mmseg_langseg.datasets.transforms import StrongView
from mmseg_langseg.engine.peak_memory import peak_memory
from mmseg_langseg.masks.generators import felzenszwalb_regions
from mmseg_langseg.models.decode_heads import LanguageHead
from mmseg_langseg.models.losses import pixel_segment_contrast
from mmseg_langseg.models.segmentors import PixelLogits, Window, predict_labels, window_boxes
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import (
    find_segments,
    mask_pool,
    mean_rows,
    region_labels,
    segment_pixels,
    warp_features,
)
from mmseg_langseg.models.utils.batch_strong_view import BatchStrongView

import torch
import torch.nn.functional as F

WARM_UP = 1
WINDOW, STRIDE, PATCH = 336, 112, 16
NUM_VIEWS = 2


def measure(step: Callable[[], object], images: int, steps: int, device: str) -> dict[str, float]:
    """Time ``steps`` calls after one warm-up call; read the peak memory before and after."""
    memory_before = peak_memory(device)
    for number in range(WARM_UP + steps):
        if number == WARM_UP:
            start, start_cpu = time.perf_counter(), time.process_time()
        step()
        if device.startswith('cuda'):
            torch.cuda.synchronize(device)
    seconds = (time.perf_counter() - start) / steps
    return {
        'seconds': seconds,
        'cpu_seconds': (time.process_time() - start_cpu) / steps,
        'images_per_second': images / seconds,
        'memory_before_mib': memory_before,
        'peak_memory_mib': peak_memory(device),
    }


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
    """Return ``(number, H, W)`` int32 maps: every pixel belongs to the nearest of random points."""
    axes = [torch.linspace(0, 1, length) for length in size]
    pixels = torch.stack(torch.meshgrid(*axes, indexing='ij'), dim=-1).flatten(0, 1)
    places = torch.rand(number, regions, 2)
    return torch.stack([torch.cdist(pixels, p).argmin(1) for p in places]).view(-1, *size).int()


def pooling_inputs(args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return features ``(B, D, h, w)``, masks ``(B n, H, W)`` and the image of each mask."""
    features = torch.randn(args.batch_size, args.channels, *args.grid, device=args.device)
    masks = random_masks(args.batch_size * args.masks, tuple(args.mask_size)).to(args.device)
    image_index = torch.arange(args.batch_size, device=args.device).repeat_interleave(args.masks)
    return features, masks, image_index


def pool_upsampled(features: torch.Tensor, masks: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """Average the features upsampled to mask resolution over each mask, the costly baseline."""
    large = F.interpolate(features, masks.shape[1:], mode='bilinear', align_corners=False)
    weights = masks.view(len(features), -1, masks[0].numel()).float()
    total = torch.bmm(weights, large.flatten(2).transpose(1, 2))
    return (total / weights.sum(2, keepdim=True).clamp_min(1)).flatten(0, 1)


def measure_pooling(args: argparse.Namespace, transposed: bool) -> dict[str, float]:
    """Measure mask pooling of a batch, by the transposed operator or on upsampled features."""
    inputs = pooling_inputs(args)
    pool = mask_pool if transposed else pool_upsampled
    with torch.no_grad():
        figures = measure(lambda: pool(*inputs), args.batch_size, args.steps, args.device)
        if transposed:
            # On a slice and after the measurement, so that the check adds no memory to it.
            part = [inputs[0][:1], inputs[1][: args.masks], inputs[2][: args.masks]]
            figures['max_difference'] = (pool(*part) - pool_upsampled(*part)).abs().max().item()
    return figures


def embedded_views(args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings ``(N, D, h, w)`` and regions ``(N, h, w)`` of the views of a batch."""
    count = NUM_VIEWS * args.batch_size
    embeddings = torch.randn(count, args.channels, *args.grid, device=args.device)
    return embeddings, random_regions(count, tuple(args.grid), args.regions).to(args.device)


def measure_contrast(args: argparse.Namespace) -> dict[str, float]:
    """Measure CLIP-S4's contrastive loss, forward and backward, from the pixel embeddings on."""
    embeddings, regions = embedded_views(args)
    # Few channels, so that finding the segments does not set the peak. Noise yields more of them
    # than smooth embeddings: an upper bound.
    segments = find_segments(embeddings[:, :8], regions)
    image_index = torch.arange(args.batch_size, device=args.device).repeat_interleave(NUM_VIEWS)
    labels = region_labels(segments, image_index)
    embeddings.requires_grad_()

    def step() -> None:
        embeddings.grad = None
        pixels, ids = segment_pixels(embeddings, segments)
        rows = mean_rows(pixels, ids, len(labels))
        pixel_segment_contrast(pixels, ids, rows, labels).backward()

    figures = measure(step, args.batch_size, args.steps, args.device)
    return {**figures, 'segments': len(labels)}


def measure_segments(args: argparse.Namespace) -> dict[str, float]:
    """Measure CLIP-S4's k-means segments of all views of a batch, split by the regions."""
    views = embedded_views(args)
    return measure(lambda: find_segments(*views), args.batch_size, args.steps, args.device)


def measure_warping(args: argparse.Namespace) -> dict[str, float]:
    """Measure warping the teacher's features of a batch (32x32) to the grids of the views."""
    features = torch.randn(args.batch_size, args.channels, 32, 32, device=args.device)
    matrices = torch.eye(2, 3, device=args.device).repeat(args.batch_size, NUM_VIEWS, 1, 1)
    size = tuple(args.grid)
    return measure(
        lambda: warp_features(features, matrices, size), args.batch_size, args.steps, args.device
    )


def measure_strong_views(args: argparse.Namespace, batched: bool) -> dict[str, float]:
    """Measure the strong views of a batch: on the device, or as in a data loader worker."""
    images = random_images(args.batch_size, tuple(args.image_size))
    if batched:
        images = [image.to(args.device) for image in images]
        view = BatchStrongView()
        return measure(lambda: view(images), args.batch_size, args.steps, args.device)
    arrays = [image.permute(1, 2, 0).numpy() for image in images]
    view = StrongView()
    return measure(
        lambda: [view({'img': array}) for array in arrays],
        args.batch_size,
        args.steps,
        args.device,
    )


def measure_regions(args: argparse.Namespace) -> dict[str, float]:
    """Measure regions on the fly, on the CPU, on random images about as detailed as photos."""
    coarse = torch.rand(args.batch_size, 3, 40, 40) * 255
    images = F.interpolate(coarse, size=tuple(args.image_size), mode='bicubic').clamp(0, 255)
    images = images.permute(0, 2, 3, 1).byte().numpy()
    return measure(
        lambda: [felzenszwalb_regions(image) for image in images],
        args.batch_size,
        args.steps,
        args.device,
    )


def random_head(args: argparse.Namespace) -> LanguageHead:
    """Return a head with random text embeddings, without running a text encoder."""
    arch = {
        'embed_dim': args.channels,
        'vision_cfg': {'layers': 1, 'width': 64, 'patch_size': 16, 'image_size': 32},
        'text_cfg': {'width': 16, 'heads': 1, 'layers': 1},
    }
    encoder = {'type': 'OpenCLIPTextEncoder', 'arch': arch, 'pretrained': None}
    head = LanguageHead(encoder, feature_size=None)
    names = [f'thing {i}' for i in range(args.classes)]
    head._set_classes(Vocabulary.from_names(names))
    head.text_rows = torch.randn(args.classes, args.channels)
    return head.to(args.device)


def labels_of_all_logits(head: LanguageHead, windows: list[Window], size: tuple) -> torch.Tensor:
    """Return the labels from the logits of all classes at image size, as the toolbox does."""
    total = torch.zeros(head.num_classes, *size, device=head.text_rows.device)
    count = torch.zeros(*size, device=head.text_rows.device)
    for window in windows:
        y1, x1, y2, x2 = window.box
        total[:, y1:y2, x1:x2] += F.interpolate(
            head(window.features), (y2 - y1, x2 - x1), mode='bilinear', align_corners=False
        )[0]
        count[y1:y2, x1:x2] += 1
    return (total / count).argmax(0)


def measure_labels(args: argparse.Namespace, slide: bool, bounded: bool) -> dict[str, float]:
    """Measure the step from dense features to the label map of an image."""
    size, head = tuple(args.image_size), random_head(args)
    boxes, grid = [(0, 0, *size)], (64, 64)
    if slide:
        boxes = window_boxes(size, (WINDOW, WINDOW), (STRIDE, STRIDE))
        grid = ((boxes[0][2] - boxes[0][0]) // PATCH, (boxes[0][3] - boxes[0][1]) // PATCH)
    windows = [
        Window(box, (torch.randn(1, args.channels, *grid, device=args.device),)) for box in boxes
    ]

    def labels() -> torch.Tensor:
        meta = {'ori_shape': size}
        return predict_labels(PixelLogits(head, windows, meta, size, not slide, False))

    def plain() -> torch.Tensor:
        return labels_of_all_logits(head, windows, size)

    with torch.no_grad():
        figures = measure(labels if bounded else plain, 1, args.steps, args.device)
        if bounded and args.compare_labels:
            figures['different_labels'] = (labels() != plain()).sum().item()
    return figures
