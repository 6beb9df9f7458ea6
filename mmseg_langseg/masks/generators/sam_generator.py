"""Class-agnostic masks from Segment Anything (SAM)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from torch import nn

from mmseg_langseg.fileio import read_checkpoint
from mmseg_langseg.masks.mask_partition import masks_to_regions
from mmseg_langseg.masks.option_checks import check_bool, check_integer, check_number

from .mask_generator import MaskGenerator, fill_options, name_model

# Set by this class, since the masks are stored as JSON.
_RESERVED = ('output_mode',)
_HOST = 'https://dl.fbaipublicfiles.com/segment_anything'
_FILES = {
    'vit_h': 'sam_vit_h_4b8939.pth',
    'vit_l': 'sam_vit_l_0b3195.pth',
    'vit_b': 'sam_vit_b_01ec64.pth',
}


class SAMGenerator(MaskGenerator):
    """Mask generator using Segment Anything's automatic masks (the package segment-anything).

    Without mixed precision, the masks are those of ``SamAutomaticMaskGenerator`` for each single
    image, up to rounding. Prompts of different images never share a batch, because SAM's mask
    decoder takes one image.

    Args:
        model: ``vit_h``, ``vit_l``, ``vit_b`` (the paper's PixelCLIP masks are those of SA-1B,
            generated with ViT-H), or an instance of ``segment_anything.modeling.Sam``.
        checkpoint: Local file with the weights of a named model.
        device: Device to compute on.
        images_per_batch: Images per batch of the image encoder; ``None``: 4 on a GPU, 1 on
            a CPU. Always 1 with ``crop_n_layers``, as the number of crops varies.
        amp: Use automatic mixed precision, see ``BatchSamPredictor``; ``None``: on a
            GPU only.
        **options: Settings of ``SamAutomaticMaskGenerator``: ``points_per_side``,
            ``points_per_batch``, ``pred_iou_thresh``, ... ``point_grids``, a list of points (x, y)
            within [0, 1] for each layer of crops, replaces ``points_per_side``.

    Raises:
        ImportError: The package is not installed.
        ValueError: There is no such model or option, an option is out of range, or
            ``point_grids`` is invalid.
        FileNotFoundError: The checkpoint does not exist.
        RuntimeError: The checkpoint does not fit the model.
    """

    packages = ('segment-anything', 'torch')

    def __init__(
        self,
        model: str | nn.Module = 'vit_h',
        checkpoint: str | None = None,
        device: str = 'cpu',
        images_per_batch: int | None = None,
        amp: bool | None = None,
        **options,
    ) -> None:
        try:
            from segment_anything import SamAutomaticMaskGenerator

            from .early_filter_mask_generator import EarlyFilterMaskGenerator
            from .sam_predictor import BatchSamPredictor
        except ImportError as error:
            raise ImportError(
                "SAM needs the package segment-anything: pip install 'mmseg_langseg[sam]'"
            ) from error
        built = not isinstance(model, str)
        settings = fill_options(SamAutomaticMaskGenerator, options, _RESERVED)
        _check_settings(settings)
        if amp is not None:
            check_bool('amp', amp)
        if settings['point_grids'] is not None:
            settings['points_per_side'] = None
        on_gpu = torch.device(device).type != 'cpu'
        self.batch_size = _choose_batch_size(images_per_batch, on_gpu, settings['crop_n_layers'])
        amp = on_gpu if amp is None else amp
        self.settings = dict(
            model=type(model).__name__ if built else name_model(model, checkpoint),
            images_per_batch=self.batch_size,
            amp=amp,
            **settings,
        )
        sam = (model if built else load_sam(model, checkpoint)).to(device).eval()
        grids = _read_grids(settings['point_grids'], settings['crop_n_layers'] + 1)
        self.generator = EarlyFilterMaskGenerator(
            sam, output_mode='coco_rle', **dict(settings, point_grids=grids)
        )
        self.generator.predictor = BatchSamPredictor(sam, self.batch_size, amp)

    def masks(self, image: np.ndarray) -> list[dict]:
        """Return SA-1B annotations of an image, see :meth:`MaskGenerator.masks`."""
        return self.masks_of_batch([image])[0]

    def masks_of_batch(self, images: Sequence[np.ndarray]) -> list[list[dict]]:
        """Return SA-1B annotations of each image, see :meth:`MaskGenerator.masks_of_batch`."""
        if self.settings['crop_n_layers'] == 0:
            self.generator.predictor.encode_ahead(images)
        return [self.generator.generate(image) for image in images]

    def regions(self, image: np.ndarray) -> np.ndarray:
        """Assign each pixel to its smallest mask, 0 for none; see :func:`masks_to_regions`."""
        return self.regions_of_batch([image])[0]

    def regions_of_batch(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Call :meth:`regions` for a batch of images."""
        return [
            masks_to_regions([one['segmentation'] for one in annotations], *image.shape[:2])
            for image, annotations in zip(images, self.masks_of_batch(images), strict=True)
        ]


def _choose_batch_size(images_per_batch: int | None, on_gpu: bool, crop_layers: int) -> int:
    if images_per_batch is not None:
        check_integer('images_per_batch', images_per_batch, 1)
    if crop_layers > 0:
        if images_per_batch not in (None, 1):
            print_log(
                f'images_per_batch={images_per_batch} has no effect with '
                f'crop_n_layers={crop_layers}: images and crops are encoded one by one',
                logger='current',
                level=logging.WARNING,
            )
        return 1
    if images_per_batch is None:
        return 4 if on_gpu else 1
    return images_per_batch


def _check_settings(settings: dict) -> None:
    if settings['point_grids'] is None:
        check_integer('points_per_side', settings['points_per_side'], 1, 1000)
    for name, lowest, highest in (
        ('points_per_batch', 1, None),
        ('crop_n_layers', 0, 8),
        ('crop_n_points_downscale_factor', 1, None),
        ('min_mask_region_area', 0, None),
    ):
        check_integer(name, settings[name], lowest, highest)
    # The model's predicted IoU is unbounded.
    check_number('pred_iou_thresh', settings['pred_iou_thresh'])
    check_number('stability_score_thresh', settings['stability_score_thresh'], highest=1)
    for name in ('box_nms_thresh', 'crop_nms_thresh'):
        check_number(name, settings[name], 0, 1)
    check_number('stability_score_offset', settings['stability_score_offset'], 0)
    check_number('crop_overlap_ratio', settings['crop_overlap_ratio'], 0, 1)


def _read_grids(point_grids: list | None, layers: int) -> list[np.ndarray] | None:
    if point_grids is None:
        return None
    try:
        grids = [np.array(grid, dtype=float).reshape(-1, 2) for grid in point_grids]
    except (TypeError, ValueError):
        grids = []
    if len(grids) != layers or any(((grid < 0) | (grid > 1)).any() for grid in grids):
        raise ValueError(
            f'point_grids={point_grids!r:.80}: expected {layers} lists (crop_n_layers + 1) of '
            'points [x, y] within [0, 1]'
        )
    return grids


def load_sam(model: str, checkpoint: str | None) -> nn.Module:
    """Build a SAM model by name and load its weights safely, see :func:`read_checkpoint`.

    Raises:
        ValueError: There is no such model, or the file is broken or contains more than data.
        FileNotFoundError: The checkpoint does not exist.
        RuntimeError: The checkpoint does not fit the model.
    """
    from segment_anything import sam_model_registry

    known = [name for name in sam_model_registry if name.startswith('vit')]
    if not isinstance(model, str) or model not in known:
        raise ValueError(f"SAM has no model '{model}'; available: {', '.join(known)}")
    if checkpoint is None or not Path(checkpoint).is_file():
        raise FileNotFoundError(
            f"no checkpoint '{checkpoint}' for SAM {model}: fetch {_HOST}/{_FILES.get(model, '')}, "
            'put it anywhere on this machine, and name it in --options checkpoint=FILE'
        )
    # SAM's own loader would execute code in the file.
    weights = read_checkpoint(checkpoint)
    sam = sam_model_registry[model](checkpoint=None)
    try:
        sam.load_state_dict(weights)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise RuntimeError(f"'{checkpoint}' does not fit SAM {model}: {error}") from error
    return sam
