"""Checks of the label maps that MMSegmentation's own loader reads."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations

from .label_files import NARROW_IGNORE, map_labels, read_label_file


class ToolboxLabels:
    """Loads what ``LoadAnnotations`` loads, and raises an error where it would load nonsense.

    The toolbox's loader takes every value for a label, cuts 16 bits to 8, and fails on colors and
    other sizes only where the labels are used, without the name of the file.

    Args:
        loader: The loader of the pipeline.
        ignore_index: Label that the metric ignores; the others must be classes.
    """

    def __init__(self, loader: LoadAnnotations, ignore_index: int) -> None:
        self.backend_args = loader.backend_args
        self.ignore_index = ignore_index
        self._reduces = loader.reduce_zero_label

    def transform(self, sample: dict) -> dict:
        """Add the label map, as ``LoadLabelMap`` does.

        Raises:
            LabelFileError: The label map cannot be used; the message names the file.
            ValueError: There are too many classes for 8 bits, or the loader contradicts the
                dataset.
        """
        self._check_settings(sample)
        path = sample['seg_map_path']
        sample['gt_seg_map'] = map_labels(
            path,
            read_label_file(path, sample.get('ori_shape'), self.backend_args),
            NARROW_IGNORE,
            sample.get('num_classes'),
            sample.get('label_map'),
            sample.get('reduce_zero_label', False),
            self.ignore_index,
        )
        return sample

    def _check_settings(self, sample: dict) -> None:
        classes = sample.get('num_classes') or 0
        if classes > NARROW_IGNORE:
            raise ValueError(
                f'LoadAnnotations loads labels of 8 bits, too few for {classes} classes; use '
                'LoadLabelMap(ignore_index=65535) and the same ignore_index in the metric'
            )
        reduces = sample.get('reduce_zero_label', False)
        # Once it has loaded a label map, the loader holds the value of the dataset.
        if self._reduces not in (None, reduces):
            raise ValueError(
                f'LoadAnnotations has reduce_zero_label={self._reduces}, but its dataset '
                f'{reduces}; set it in the dataset alone'
            )

    def __repr__(self) -> str:
        """Name and arguments."""
        return (
            f'{type(self).__name__}(ignore_index={self.ignore_index}, '
            f'backend_args={self.backend_args})'
        )


def is_toolbox_loader(step: Any) -> bool:
    """Whether a pipeline step loads labels in a way that :class:`ToolboxLabels` knows.

    A class derived from ``LoadAnnotations`` may read anything, and other decoders than Pillow read
    files that Pillow does not.
    """
    return type(step) is LoadAnnotations and step.imdecode_backend == 'pillow'


def is_plain_image_loader(step: Any) -> bool:
    """Whether a pipeline step loads photos, not arrays or satellite images of many bands."""
    return type(step) is LoadImageFromFile and (
        (step.color_type, step.imdecode_backend, step.ignore_empty) == ('color', 'cv2', False)
    )
