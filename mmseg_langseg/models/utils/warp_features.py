"""Warp dense features of images to the geometry of their augmented views (CLIP-S⁴)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warp_features(
    features: Tensor, matrices: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Warp dense features of images to the grids of their views, by bilinear sampling.

    CLIP-S⁴ computes CLIP's features on the un-augmented image and applies each view's geometry to
    them, so all views see the same values.

    Args:
        features: ``(B, D, h0, w0)`` of the whole images; any aspect ratio.
        matrices: ``(B, V, 2, 3)``, from a view's normalized coordinates to the image's, see
            :func:`~mmseg_langseg.datasets.transforms.view_matrix`.
        size: (h, w) of the views' feature grid.

    Returns:
        ``(B * V, D, h, w)`` float32, views of one image adjacent, not of unit norm, 0 where not
        valid; and ``(B * V, h, w)`` bool, whether the center of a cell is in the image.

    Raises:
        ValueError: The matrices do not have the shape above, for as many images.
    """
    if matrices.shape[:1] + matrices.shape[2:] != (len(features), 2, 3):
        raise ValueError(
            f'expected matrices (B, V, 2, 3) for {len(features)} images, got '
            f'{tuple(matrices.shape)}'
        )
    # Half precision would move the coordinates by a fraction of a cell.
    with torch.autocast(features.device.type, enabled=False):
        num_views = matrices.shape[1]
        flat = matrices.float().flatten(0, 1)
        grid = F.affine_grid(flat, [len(flat), 1, *size], align_corners=False)
        valid = (grid.abs() <= 1).all(-1)
        repeated = features.float().repeat_interleave(num_views, 0)
        warped = F.grid_sample(
            repeated, grid, mode='bilinear', padding_mode='border', align_corners=False
        )
        return warped.mul_(valid[:, None]), valid
