"""Accuracy of zero-shot mask classification."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS
from torch import Tensor

from .confusion import count_pixels


@METRICS.register_module()
class MaskClassificationMetric(BaseMetric):
    """Accuracy of the classes of masks, for use beside an ``IoUMetric``.

    For models with ``test_cfg.classify_masks=True`` and images with masks of ``LoadMaskProposals``.
    The mIoU of PixelCLIP's Table 2 is that of ``IoUMetric`` on the same test: the masks painted
    with their classes, where pixels without a mask count as wrong. (Ignoring them would favor masks
    that cover only what is easy; ``coverage`` tells how many there are.) In percent:

    * ``mask_accuracy``: masks with the right class. Masks on mostly unlabeled pixels do not count;
    * ``mask_class_accuracy``: mean over the classes of the accuracy of their masks;
    * ``coverage``: labeled pixels that are in some mask, 100 for ground-truth masks.

    ``num_masks`` is the number of scored masks.

    Args:
        ignore_index: Label of ignored pixels and masks.
        **kwargs: See ``BaseMetric``.
    """

    def __init__(self, ignore_index: int = 255, **kwargs) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count masks and pixels of a batch.

        Raises:
            ValueError: The model did not classify masks.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            if 'pred_mask_classes' not in sample or 'mask_classes' not in sample:
                raise ValueError(
                    'MaskClassificationMetric needs a LanguageSegmentor with '
                    'test_cfg.classify_masks=True, and LoadMaskProposals in the test pipeline with '
                    "'mask_rles' and 'mask_classes' among the meta_keys of PackSegInputs."
                )
            predicted = sample['pred_mask_classes'].cpu()
            true = torch.tensor(sample['mask_classes'], dtype=torch.long)
            true[true == self.ignore_index] = -1
            painted = sample['pred_sem_seg']['data'].squeeze(0)
            labeled = sample['gt_sem_seg']['data'].squeeze(0).to(painted) != self.ignore_index
            self.results.append(
                (
                    count_pixels(true, predicted, num_classes, num_classes),
                    int((labeled & (painted < num_classes)).sum()),
                    int(labeled.sum()),
                )
            )

    def compute_metrics(self, results: list[tuple[Tensor, int, int]]) -> dict[str, float]:
        """Compute the metrics from the counts of all images.

        Args:
            results: Of each image the confusion matrix of its masks, the number of covered pixels,
                and that of labeled pixels.

        Returns:
            Metrics by name; those in percent are rounded to two decimals.
        """
        confusion = sum(counts for counts, _, _ in results)
        right, total = confusion.diag().double(), confusion.sum(1)
        covered, labeled = (torch.tensor(sum(row[i] for row in results)) for i in (1, 2))
        shares = dict(
            mask_accuracy=right.sum() / total.sum(),
            mask_class_accuracy=(right / total).nanmean(),
            coverage=covered / labeled,
        )
        percent = {name: round(100 * float(share), 2) for name, share in shares.items()}
        return {**percent, 'num_masks': int(total.sum())}
