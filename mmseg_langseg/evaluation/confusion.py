"""Confusion matrix and IoU of label maps."""

from __future__ import annotations

import torch
from torch import Tensor


def count_pixels(labels: Tensor, groups: Tensor, num_classes: int, num_groups: int) -> Tensor:
    """Count the pixels of each class in each group (confusion matrix).

    Args:
        labels: Integers of any shape; those outside [0, ``num_classes``), such as 255, are ignored.
        groups: Integers in [0, ``num_groups``) of the same shape: predicted classes, or clusters.
        num_classes: C.
        num_groups: K.

    Returns:
        ``(C, K)`` int64, labels along the rows, on the CPU.
    """
    counted = (labels >= 0) & (labels < num_classes)
    cells = labels[counted].long() * num_groups + groups[counted].long()
    counts = torch.bincount(cells, minlength=num_classes * num_groups)
    return counts.view(num_classes, num_groups).cpu()


def class_iou(confusion: Tensor) -> Tensor:
    """Return the IoU of each class.

    Args:
        confusion: ``(C, C)`` pixel counts, labels along the rows.

    Returns:
        ``(C,)`` float64 in 0..1; ``nan`` for a class that neither occurs nor is predicted.
    """
    confusion = confusion.double()
    both = confusion.diag()
    return both / (confusion.sum(0) + confusion.sum(1) - both)
