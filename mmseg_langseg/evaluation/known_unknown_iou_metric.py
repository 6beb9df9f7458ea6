"""Mean IoU of known and unknown classes, and their harmonic mean."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import torch
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from torch import Tensor


@METRICS.register_module()
class KnownUnknownIoUMetric(IoUMetric):
    """``IoUMetric`` with the mean IoU of known and unknown classes and their harmonic mean.

    All use one confusion matrix over all classes: the model chooses among all classes, and the IoU
    is then averaged within each group. This is the protocol of the zero-shot literature; CLIP-S⁴
    (CVPR 2023) reports known and unknown classes, but its exact figures are not known to us.
    Adds, in percent,

    * ``mIoU_known`` and ``mIoU_unknown``: means over the group, without classes that neither occur
      nor are predicted, as in ``IoUMetric`` (``nan`` if that is the whole group);
    * ``hIoU``: ``2 K U / (K + U)`` of the two, 0 if both are 0.

    If a group is empty, its key and ``hIoU`` are missing. ``mIoU`` over all classes is always
    included, even if ``iou_metrics`` requests other metrics only.

    Args:
        unknown: Names of the unknown classes; may be empty.
        known: Names of the known classes, to check that both lists together cover the classes of
            the dataset; by default all others.
        **kwargs: See ``IoUMetric``.

    Raises:
        ValueError: Before the first image, when the dataset's classes are set: if a name is none of
            them or is given twice, or (with ``known``) a class is in neither list.
    """

    def __init__(
        self, unknown: Sequence[str], known: Sequence[str] | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        for argument, names in (('unknown', unknown), ('known', known)):
            if isinstance(names, str):
                raise ValueError(f'{argument}={names!r} is one string; give a list of class names.')
        self.unknown = [_clean(name) for name in unknown]
        self.known = None if known is None else [_clean(name) for name in known]

    @property
    def dataset_meta(self) -> dict | None:
        """Meta information of the dataset under test."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        self._dataset_meta = dataset_meta
        self._find_unknown()

    def compute_metrics(self, results: list[tuple[Tensor, ...]]) -> dict[str, float]:
        """Add the means of the groups to the metrics of ``IoUMetric``.

        Args:
            results: Areas of each image, as ``IoUMetric.process`` collects them.

        Returns:
            Metrics by name, in percent, rounded to two decimals.
        """
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        intersect, union = (sum(areas) for areas in list(zip(*results, strict=True))[:2])
        iou = (intersect / union).double()
        if self.nan_to_num is not None:
            iou = iou.nan_to_num(self.nan_to_num)
        return {**group_means(iou, self._find_unknown()), **metrics}

    def _find_unknown(self) -> Tensor:
        """Return which classes of the dataset are unknown, ``(C,)`` bool."""
        classes = [_clean(name) for name in self.dataset_meta['classes']]
        given = self.unknown + (self.known or [])
        for name in given:
            if name not in classes:
                near = get_close_matches(name, classes) or classes
                raise ValueError(
                    f'{name!r} is not a class of the dataset: use its spelling, one of {near}.'
                )
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise ValueError(f'{twice} are given twice: each class is either known or unknown.')
        missing = [name for name in classes if name not in given]
        if self.known is not None and missing:
            raise ValueError(
                f'{missing} are neither known nor unknown: the lists must cover all '
                f'{len(classes)} classes, or leave out `known`.'
            )
        return torch.tensor([name in self.unknown for name in classes])


def group_means(iou: Tensor, unknown: Tensor) -> dict[str, float]:
    """Return the mean IoU of all, known and unknown classes.

    Args:
        iou: ``(C,)`` in 0..1, ``nan`` for a class that does not count.
        unknown: ``(C,)`` bool.

    Returns:
        ``mIoU`` and, for each group that has a class, ``mIoU_known``, ``mIoU_unknown`` and
        ``hIoU``, in percent, rounded to two decimals.
    """
    means = {'mIoU': iou.nanmean()}
    if not unknown.all():
        means['mIoU_known'] = iou[~unknown].nanmean()
    if unknown.any():
        means['mIoU_unknown'] = iou[unknown].nanmean()
    if len(means) == 3:
        known, other = means['mIoU_known'], means['mIoU_unknown']
        total = known + other
        means['hIoU'] = 2 * known * other / total if total != 0 else total
    return {name: round(100 * float(mean), 2) for name, mean in means.items()}


def _clean(name: str) -> str:
    """Remove extra spaces, as in a vocabulary (ADE20K has a ``'bed '``)."""
    return ' '.join(name.split())
