"""Segment Anything's automatic masks without upsampling those that are dropped."""

from __future__ import annotations

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.utils.amg import MaskData

# Pixels of the masks that are upsampled at once: 1 GB in float32.
_PIXELS = 2**28


class EarlyFilterMaskGenerator(SamAutomaticMaskGenerator):
    """``SamAutomaticMaskGenerator`` that drops masks of low predicted IoU before upsampling.

    The package brings the three masks of each prompt to the image's size and then looks at their
    scores. Here the scores come first, and what is left is upsampled in parts, so that memory does
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
        # The package, too, filters only by a positive threshold.
        least = self.pred_iou_thresh if self.pred_iou_thresh > 0 else -torch.inf
        kept = scores > least
        owners = points[kept.nonzero()[:, 0].cpu().numpy()]
        logits, scores = logits[kept], scores[kept]
        size = max(1, _PIXELS // (im_size[0] * im_size[1]))
        parts = []
        # Without any mask once, for the empty entries.
        for start in range(0, max(len(owners), 1), size):
            part = slice(start, start + size)
            self.predictor.hold(logits[part], scores[part])
            # It asks the predictor for the masks of the points: those that are held, one each.
            parts.append(super()._process_batch(owners[part], im_size, crop_box, orig_size))
        # `cat` copies what it takes, so nothing is put into an empty one.
        for part in parts[1:]:
            parts[0].cat(part)
        return parts[0]

    def _process_crop(self, *args) -> MaskData:
        data = super()._process_crop(*args)
        # Without masks the package makes it (0,), which the comparison of crops cannot read.
        data['crop_boxes'] = data['crop_boxes'].reshape(-1, 4)
        return data
