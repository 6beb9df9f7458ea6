"""Crops of the masks of a photo, as an image-text model classifies them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from mmseg_langseg.masks.formats import decode_rle
from mmseg_langseg.models.backbones import CLIPTower
from mmseg_langseg.models.segmentors.distilled_segmentor import DistilledSegmentor

# Margins in parts of the longer side, see docs/verdict.md for others that were tried.
CUT_OUT_MARGIN, IN_CONTEXT_MARGIN = 0.15, 0.5
_LEAST = 2
_BATCH = 32


def crop_masks(
    rgb: np.ndarray, rles: Sequence[dict], side: int, cut_out: bool
) -> Iterator[np.ndarray]:
    """Crop the masks of a photo, cut out or in their context.

    The crop is a square around the mask, moved or narrowed to fit into the photo, and resized to
    ``side`` in both directions.

    Args:
        rgb: ``(H, W, 3)`` uint8.
        rles: COCO RLEs of its size.
        side: Side of the crops in pixels.
        cut_out: True: what is not in the mask has the mean color of the photo, and the margin is
            15 % of the longer side of the mask. False: the photo, with a margin of 50 %.

    Yields:
        ``(side, side, 3)`` float32 in 0..255; an empty mask gives the mean color.
    """
    mean = rgb.reshape(-1, 3).mean(0).astype(np.float32)
    margin = CUT_OUT_MARGIN if cut_out else IN_CONTEXT_MARGIN
    for rle in rles:
        mask = decode_rle(rle)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            yield np.broadcast_to(mean, (side, side, 3))
            continue
        length = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
        length = round(length * (1 + 2 * margin)) + 2 * _LEAST
        box = tuple(
            _span(inside, length, limit)
            for inside, limit in zip((rows, columns), mask.shape, strict=True)
        )
        crop = rgb[box].astype(np.float32)
        if cut_out:
            crop = np.where(mask[box][..., None], crop, mean)
        kind = cv2.INTER_AREA if max(crop.shape[:2]) > side else cv2.INTER_CUBIC
        yield cv2.resize(crop, (side, side), interpolation=kind).clip(0, 255)


def _span(inside: np.ndarray, length: int, limit: int) -> slice:
    """Return the rows or columns of a crop."""
    length = min(length, limit)
    start = (inside[0] + inside[-1] + 1 - length) // 2
    start = int(min(max(start, 0), limit - length))
    return slice(start, start + length)


def clip_tower(model: EncoderDecoder) -> CLIPTower | None:
    """Return the image tower of the image-text model, None if the model has none.

    For CLIP-S⁴ and MaskCLIP+, it is the frozen teacher.
    """
    if isinstance(model, DistilledSegmentor) and model.teacher is not None:
        return model.teacher.tower
    return model.backbone if isinstance(model.backbone, CLIPTower) else None


@torch.no_grad()
def embed_crops(
    model: EncoderDecoder, rgb: np.ndarray, rles: Sequence[dict], cut_out: bool
) -> Tensor:
    """Compute the image embeddings of the crops of masks, by the model's own pooling.

    Args:
        model: Segmentor with a :func:`clip_tower`.
        rgb: ``(H, W, 3)`` uint8.
        rles: N COCO RLEs of its size, at least one.
        cut_out: See :func:`crop_masks`.

    Returns:
        ``(N, D)`` float32, not normalized.
    """
    visual = clip_tower(model).visual
    side = visual.image_size
    side = side if isinstance(side, int) else side[0]
    preprocessor = model.data_preprocessor
    mean, std = (getattr(preprocessor, name).float() for name in ('mean', 'std'))
    crops, rows = crop_masks(rgb, rles, side, cut_out), []
    for start in range(0, len(rles), _BATCH):
        some = np.stack([next(crops) for _ in rles[start : start + _BATCH]])
        images = torch.from_numpy(some).permute(0, 3, 1, 2).to(mean.device)
        embeddings = visual((images - mean) / std)
        rows.append(embeddings[0] if isinstance(embeddings, tuple) else embeddings)
    return torch.cat(rows).float()
