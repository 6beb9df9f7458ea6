"""Check all labels before training or testing starts."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.dist import get_dist_info
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.evaluation import IoUMetric
from mmseg.registry import HOOKS
from torch.utils.data import DataLoader, Dataset

from mmseg_langseg.datasets import LoadLabelMap
from mmseg_langseg.datasets.label_check import (
    check_labels,
    dataset_parts,
    find_label_loader,
)


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Check the labels of a run before it starts and stop if they cannot be used.

    Every dataset that loads labels by ``LoadLabelMap`` or ``LoadAnnotations`` is checked, see
    :func:`~mmseg_langseg.datasets.check_labels`: the training and validation data before training,
    the test data before a test. The processes of a distributed run divide the files. The
    ``ignore_index`` of a metric must be that of ``LoadLabelMap``; with ``LoadAnnotations``, labels
    must be classes or what the metric ignores.
    """

    def __init__(self) -> None:
        self._seen: list[Dataset] = []

    def before_train(self, runner: Runner) -> None:
        """Check the labels of the training and validation data."""
        self._check(runner.train_dataloader)
        if runner.val_loop is not None:
            self._check(runner.val_dataloader, runner.val_evaluator.metrics)

    def before_val(self, runner: Runner) -> None:
        """Check the labels of the validation data, unless that was done before training."""
        self._check(runner.val_dataloader, runner.val_evaluator.metrics)

    def before_test(self, runner: Runner) -> None:
        """Check the labels of the test data."""
        self._check(runner.test_dataloader, runner.test_evaluator.metrics)

    def _check(self, loader: DataLoader, metrics: Sequence[BaseMetric] = ()) -> None:
        if any(loader.dataset is seen for seen in self._seen):
            return
        measures = [metric for metric in metrics if isinstance(metric, IoUMetric)]
        ignored = measures[0].ignore_index if measures else None
        check_labels(loader.dataset, *get_dist_info(), ignored)
        self._seen.append(loader.dataset)
        for metric in measures:
            _check_files(metric, loader.dataset)
            for labels in map(find_label_loader, dataset_parts(loader.dataset)):
                if isinstance(labels, LoadLabelMap):
                    _check_ignored(metric, labels)


def _check_ignored(metric: IoUMetric, labels: LoadLabelMap) -> None:
    if metric.ignore_index != labels.ignore_index:
        raise ValueError(
            f'{type(metric).__name__} ignores the label {metric.ignore_index}, but LoadLabelMap '
            f'gives ignored pixels {labels.ignore_index}; set the ignore_index of both to the same '
            'number'
        )


def _check_files(metric: IoUMetric, dataset: Dataset) -> None:
    """Reject more classes than 8 bits hold: the ``IoUMetric`` always writes 8-bit label maps."""
    classes = len(dataset.metainfo.get('classes') or ())
    if metric.output_dir is not None and classes + bool(dataset.reduce_zero_label) > 256:
        raise ValueError(
            f'{type(metric).__name__} with output_dir writes 8-bit label maps, too few for '
            f'{classes} classes; use tools/test.py --out, or a LabelMapWriter as test_evaluator'
        )
