"""Boundary IoU of label maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable
from torch import Tensor


@METRICS.register_module()
class BoundaryIoUMetric(BaseMetric):
    """Boundary IoU (Cheng et al., CVPR 2021), for use beside an ``IoUMetric``.

    The IoU of the boundary regions of a class: the pixels of the class in the label map, and in the
    prediction, that are within a distance of the contour. As in ``IoUMetric``, intersections and
    unions are summed over the dataset, and ``boundary_mIoU`` is the mean over the classes, in
    percent. Like the official code, the distance is that of erosion by a square of 3x3 pixels, and
    the image border is part of the contour.

    Ignored pixels are removed from both label map and prediction before contours are found, so that
    segments end there in both, and a prediction equal to all labels has 100 %.

    Args:
        dilation_ratio: Distance as a fraction of the image diagonal; at least one pixel.
        ignore_index: Label of ignored pixels.
        **kwargs: See ``BaseMetric``.

    Raises:
        ValueError: ``dilation_ratio`` is not positive.
    """

    def __init__(self, dilation_ratio: float = 0.02, ignore_index: int = 255, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 0 < dilation_ratio <= 1:
            raise ValueError(
                f'dilation_ratio={dilation_ratio}: expected a fraction of the image diagonal '
                'above 0 and at most 1'
            )
        self.dilation_ratio = dilation_ratio
        self.ignore_index = ignore_index

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the pixels of the boundary regions of a batch."""
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            labels = sample['gt_sem_seg']['data'].squeeze(0).cpu().numpy()
            predicted = sample['pred_sem_seg']['data'].squeeze(0).cpu().numpy()
            counts = boundary_areas(
                labels, predicted, num_classes, self.dilation_ratio, self.ignore_index
            )
            self.results.append(counts)

    def compute_metrics(self, results: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Compute the mean over the classes.

        Args:
            results: Of each image the intersection and the union of each class.

        Returns:
            ``boundary_mIoU`` in percent, rounded to two decimals.
        """
        intersection, union = (sum(areas).double() for areas in zip(*results, strict=True))
        iou = 100 * intersection / union
        table = PrettyTable(['Class', 'Boundary IoU'])
        for row in zip(self.dataset_meta['classes'], iou.numpy().round(2), strict=True):
            table.add_row(row)
        print_log(f'per class results:\n{table}', MMLogger.get_current_instance())
        return {'boundary_mIoU': round(float(iou.nanmean()), 2)}


def boundary_areas(
    labels: np.ndarray,
    predicted: np.ndarray,
    num_classes: int,
    dilation_ratio: float = 0.02,
    ignore_index: int = 255,
) -> tuple[Tensor, Tensor]:
    """Count the pixels of the boundary regions of each class in an image.

    Args:
        labels: ``(H, W)`` integers.
        predicted: ``(H, W)`` integers.
        num_classes: C.
        dilation_ratio: See :class:`BoundaryIoUMetric`.
        ignore_index: Label of ignored pixels.

    Returns:
        Intersection and union of the boundary regions of each class, ``(C,)`` int64.
    """
    ignored = labels == ignore_index
    distance = max(1, round(dilation_ratio * math.hypot(*labels.shape)))
    nothing = -1
    true, found = (
        np.where(ignored, nothing, values).astype(np.int32) for values in (labels, predicted)
    )
    true, found = (
        torch.from_numpy(np.where(boundary_pixels(values, distance), values, nothing))
        for values in (true, found)
    )
    areas = [
        torch.bincount(values[(values >= 0) & (values < num_classes)], minlength=num_classes)
        for values in (true, found, true[true == found])
    ]
    return areas[2], areas[0] + areas[1] - areas[2]


def boundary_pixels(labels: np.ndarray, distance: int) -> np.ndarray:
    """Find the pixels that erosion of their own segment would remove.

    They have a pixel with another label, or the image border, in the square of
    ``2 * distance + 1`` pixels around them: the boundary regions of all classes in one pass.

    Args:
        labels: ``(H, W)`` integers of at least -1.
        distance: Distance in pixels.

    Returns:
        ``(H, W)`` bool.
    """
    values = labels.astype(np.float32)  # exact: there are fewer classes than 2**24
    square = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    border = dict(borderType=cv2.BORDER_CONSTANT, borderValue=-2)
    lowest = cv2.erode(values, square, **border)
    highest = cv2.dilate(values, square, **border)
    return (lowest != values) | (highest != values)
