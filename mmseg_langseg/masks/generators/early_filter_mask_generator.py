"""Segment Anything's automatic mask generator with filtering before upsampling."""

from __future__ import annotations

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.utils.amg import MaskData

# Mask pixels that are upsampled at once: 1 GB in float32.
_PIXELS = 2**28


class EarlyFilterMaskGenerator(SamAutomaticMaskGenerator):
    """``SamAutomaticMaskGenerator`` that drops masks with low predicted IoU before upsampling.

    The package upsamples the three masks of each prompt to the image size before it filters them
    by score. Here they are filtered first and the rest is upsampled in chunks, so that memory does
    not grow with prompts times pixels. The masks are the same. ``predictor`` must be a
    :class:`BatchSamPredictor`.
    """

    def _process_batch(
        self,
        points: np.ndarray,
        im_size: tuple[int, int],
        crop_box: list[int],
        orig_size: tuple[int, int],
    ) -> MaskData:
        logits, scores = self.predictor.predict_points(points, im_size)
        # Like the package, filter only by a positive threshold.
        least = self.pred_iou_thresh if self.pred_iou_thresh > 0 else -torch.inf
        kept = scores > least
        owners = points[kept.nonzero()[:, 0].cpu().numpy()]
        logits, scores = logits[kept], scores[kept]
        size = max(1, _PIXELS // (im_size[0] * im_size[1]))
        parts = []
        # Without any mask, run once for the empty entries.
        for start in range(0, max(len(owners), 1), size):
            part = slice(start, start + size)
            self.predictor.hold(logits[part], scores[part])
            # It asks the predictor for the masks of the points and gets the held ones, one each.
            parts.append(super()._process_batch(owners[part], im_size, crop_box, orig_size))
        # `cat` copies its argument, so start with the first chunk and not with an empty one.
        for part in parts[1:]:
            parts[0].cat(part)
        return parts[0]

    def _process_crop(self, *args) -> MaskData:
        data = super()._process_crop(*args)
        # Without masks it has the shape (0,), which the package's crop comparison cannot handle.
        data['crop_boxes'] = data['crop_boxes'].reshape(-1, 4)
        return data
