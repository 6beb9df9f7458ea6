"""Validation of label maps that MMSegmentation's ``LoadAnnotations`` loads."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations

from .label_files import NARROW_IGNORE, map_labels, read_label_file


class ToolboxLabels:
    """Load label maps like ``LoadAnnotations``, but reject those that it would misread.

    ``LoadAnnotations`` accepts every value as a label, truncates 16 bits to 8, and fails on color
    images and wrong sizes only where the labels are used, without naming the file.

    Args:
        loader: Loader of the pipeline.
        ignore_index: Label that the metric ignores; all others must be classes.
    """

    def __init__(self, loader: LoadAnnotations, ignore_index: int) -> None:
        self.backend_args = loader.backend_args
        self.ignore_index = ignore_index
        self._reduces = loader.reduce_zero_label

    def transform(self, sample: dict) -> dict:
        """Add the label map to the sample, like ``LoadLabelMap``.

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
        # After its first label map, the loader keeps the value of the dataset.
        if self._reduces not in (None, reduces):
            raise ValueError(
                f'LoadAnnotations has reduce_zero_label={self._reduces}, but its dataset '
                f'{reduces}; set it in the dataset alone'
            )

    def __repr__(self) -> str:
        """Return the name and arguments."""
        return (
            f'{type(self).__name__}(ignore_index={self.ignore_index}, '
            f'backend_args={self.backend_args})'
        )


def is_toolbox_loader(step: Any) -> bool:
    """Return whether :class:`ToolboxLabels` can check a label loader.

    Subclasses of ``LoadAnnotations`` and decoders other than Pillow may read other files.
    """
    return type(step) is LoadAnnotations and step.imdecode_backend == 'pillow'


def is_plain_image_loader(step: Any) -> bool:
    """Return whether a pipeline step loads color images with the default decoder."""
    return type(step) is LoadImageFromFile and (
        (step.color_type, step.imdecode_backend, step.ignore_empty) == ('color', 'cv2', False)
    )
