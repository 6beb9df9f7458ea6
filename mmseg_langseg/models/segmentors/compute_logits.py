"""Dense features of images, from which class logits are computed when they are needed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from .class_logits import ClassLogits
from .pixel_logits import PixelLogits, Window, padding_of, window_boxes
from .refined_logits import RefinedLogits

WINDOWS_PER_PASS = 8
"""Sliding windows in one pass through the image tower."""


def compute_logits(
    model: EncoderDecoder, inputs: Tensor, metas: list[dict], keep_scores: bool = True
) -> list[ClassLogits]:
    """Compute the dense features of images, from which class logits follow at any time.

    Args:
        model: Segmentor with a ``LanguageHead``.
        inputs: ``(B, 3, H, W)``, preprocessed.
        metas: Metainfo of each image, with ``ori_shape``.
        keep_scores: See :class:`PixelLogits`.

    Returns:
        Logits of each image; refined if ``test_cfg.pamr`` has options of :class:`RefinedLogits`.
    """
    canvas = tuple(inputs.shape[2:])
    logits: list[ClassLogits] = [
        PixelLogits(
            model.decode_head,
            own,
            meta,
            canvas,
            resizes_in_one_step(model, meta),
            model.align_corners,
            keep_scores,
        )
        for own, meta in zip(dense_windows(model, inputs), metas, strict=True)
    ]
    refinement = model.test_cfg.get('pamr')
    if refinement is None:
        return logits
    return [
        RefinedLogits(one, original_image(image, meta), **refinement)
        for one, image, meta in zip(logits, inputs, metas, strict=True)
    ]


def dense_windows(model: EncoderDecoder, inputs: Tensor) -> list[list[Window]]:
    """Compute the dense features of images, or of their sliding windows.

    Args:
        model: See :func:`compute_logits`.
        inputs: ``(B, 3, H, W)``, preprocessed.

    Returns:
        The windows of each image, row by row; one per image in ``whole`` mode.
    """
    canvas = tuple(inputs.shape[2:])
    boxes = [(0, 0, *canvas)]
    if model.test_cfg.get('mode', 'whole') == 'slide':
        boxes = window_boxes(canvas, model.test_cfg['crop_size'], model.test_cfg['stride'])
    per_pass = max(len(inputs), WINDOWS_PER_PASS) // len(inputs)
    windows: list[list[Window]] = [[] for _ in inputs]
    for start in range(0, len(boxes), per_pass):
        some = boxes[start : start + per_pass]
        crops = torch.cat([inputs[:, :, y1:y2, x1:x2] for y1, x1, y2, x2 in some])
        features = model.extract_feat(crops)
        for number, box in enumerate(some):
            for image, own in enumerate(windows):
                index = number * len(inputs) + image
                own.append(Window(box, tuple(f[index : index + 1] for f in features)))
    return windows


def resizes_in_one_step(model: EncoderDecoder, meta: dict) -> bool:
    """Whether maps of an image are resized from the head's grid to its size in one step.

    Args:
        model: See :func:`compute_logits`.
        meta: Metainfo of the image.
    """
    slide = model.test_cfg.get('mode', 'whole') == 'slide'
    # EncoderDecoder always resizes to the input first.
    direct = not slide and getattr(model, 'resizes_directly', False)
    return direct and not any(padding_of(meta))


def original_image(image: Tensor, meta: dict) -> Tensor:
    """Return a preprocessed image without padding, flipped back, at its original size.

    Args:
        image: ``(3, H, W)``.
        meta: Its metainfo.
    """
    left, right, top, bottom = padding_of(meta)
    image = image[:, top : image.shape[1] - bottom, left : image.shape[2] - right]
    if meta.get('flip'):
        image = image.flip(2 if meta['flip_direction'] == 'horizontal' else 1)
    size = tuple(meta['ori_shape'][:2])
    return F.interpolate(image[None], size, mode='bilinear', align_corners=False)[0]
