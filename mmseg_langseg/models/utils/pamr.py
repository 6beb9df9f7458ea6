"""Pixel-adaptive mask refinement (PAMR)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def pamr_affinity(images: Tensor, dilations: Sequence[int] = (8, 16)) -> Tensor:
    """Compute how much of its neighbors' scores each pixel takes over in a step of PAMR.

    ``alpha = softmax_j(mean_c(-|x_i - x_j| / (0.1 std_i)))`` over the 8 neighbors j of pixel i at
    each dilation, with the standard deviation of a channel over all neighborhoods of i (Araslanov
    and Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR 2020, Eq. 3 to 5).
    Neighbors outside the image repeat its border.

    Args:
        images: ``(B, 3, H, W)``, on any scale.
        dilations: Distances of the neighbors, in pixels.

    Returns:
        ``(B, 8 * len(dilations), H, W)`` weights whose sum over the neighbors is 1.
    """
    neighbors = torch.stack([_shifted(images, *step) for step in _steps(dilations)], 2)
    # Each 3x3 neighborhood includes the pixel itself.
    centers = images[:, :, None].expand(-1, -1, len(dilations), -1, -1)
    std = torch.cat([neighbors, centers], 2).std(2, keepdim=True)
    distance = (neighbors - images[:, :, None]).abs() / (1e-8 + 0.1 * std)
    return (-distance).mean(1).softmax(1)


def refine_scores(
    scores: Tensor, affinity: Tensor, dilations: Sequence[int] = (8, 16), steps: int = 10
) -> Tensor:
    """Refine class scores by the weights of :func:`pamr_affinity`; classes do not interact.

    Args:
        scores: ``(B, K, H, W)`` of the size of the images.
        affinity: ``(B, 8 * len(dilations), H, W)``.
        dilations: See :func:`pamr_affinity`.
        steps: Number of iterations.

    Returns:
        ``(B, K, H, W)``.
    """
    for _ in range(steps):
        refined = torch.zeros_like(scores)
        for index, step in enumerate(_steps(dilations)):
            refined += affinity[:, index : index + 1] * _shifted(scores, *step)
        scores = refined
    return scores


def _steps(dilations: Sequence[int]) -> list[tuple[int, int]]:
    """Return the row and column offsets of the neighbors."""
    around = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    return [(y * d, x * d) for d in dilations for y, x in around]


def _shifted(images: Tensor, down: int, right: int) -> Tensor:
    """Return ``out[..., y, x] = images[..., y + down, x + right]``, with repeated borders."""
    height, width = images.shape[-2:]
    padded = F.pad(images, (abs(right), abs(right), abs(down), abs(down)), mode='replicate')
    top, left = abs(down) + down, abs(right) + right
    return padded[..., top : top + height, left : left + width]
