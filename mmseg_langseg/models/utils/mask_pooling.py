"""Mask pooling: mean of dense features over masks, without upsampling the features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PART = 128


def bilinear_matrix(
    source: int, target: int, device: torch.device | str = 'cpu', align_corners: bool = False
) -> Tensor:
    """Computes the matrix ``(target, source)`` of one-dimensional bilinear resizing, float32.

    Equal to ``F.interpolate(..., mode='bilinear')`` along one axis.
    """
    identity = torch.eye(source, device=device)
    return F.interpolate(identity[None], size=target, mode='linear', align_corners=align_corners)[
        0
    ].T


def mask_pool(features: Tensor, masks: Tensor, image_index: Tensor) -> Tensor:
    """Averages bilinearly upsampled features over each mask.

    ``f_M = MaskPool(E(I), M)`` of PixelCLIP, Sec. 3.2. Pooling ``U f`` with a mask ``m`` equals
    pooling ``f`` with the weights ``U^T m``, where ``U`` is the (separable) upsampling operator:
    the ``(B, D, H, W)`` features are never computed.

    Args:
        features: ``(B, D, h, w)``, not normalized.
        masks: ``(N, H, W)`` bool or 0/1, the masks of all images.
        image_index: ``(N,)`` int64, the image that each mask belongs to.

    Returns:
        ``(N, D)`` float32 means, also under autocast; zeros for an empty mask.
    """
    with torch.autocast(features.device.type, enabled=False):
        return _pool(features.float(), masks, image_index)


def _pool(features: Tensor, masks: Tensor, image_index: Tensor) -> Tensor:
    batch, _, height, width = features.shape
    rows = bilinear_matrix(height, masks.shape[-2], features.device)
    columns = bilinear_matrix(width, masks.shape[-1], features.device)
    # In chunks: all masks in float32 would take more memory than everything else here.
    narrow = [torch.matmul(part.float(), columns) for part in masks.split(PART)]
    weights = torch.matmul(rows.T, torch.cat(narrow))  # (N, h, w)
    area = weights.sum((1, 2)).clamp_min(torch.finfo(torch.float32).tiny)
    weights = weights.flatten(1) / area[:, None]

    # Padded to the largest number of masks, so that one batched product serves all images.
    slot = slot_in_image(image_index, batch)
    depth = int(slot.max()) + 1 if len(slot) else 0
    padded = weights.new_zeros(batch, depth, height * width)
    padded[image_index, slot] = weights
    pooled = torch.bmm(padded, features.flatten(2).transpose(1, 2))
    return pooled[image_index, slot]


def slot_in_image(image_index: Tensor, num_images: int) -> Tensor:
    """Numbers the masks within each image, ``(N,)`` int64, for any order of ``image_index``."""
    one_hot = F.one_hot(image_index, num_images)
    return (one_hot.cumsum(0) - 1).gather(1, image_index[:, None])[:, 0]
