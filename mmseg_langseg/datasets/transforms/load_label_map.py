"""Loading and validation of label maps."""

from __future__ import annotations

from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from ..label_files import NARROW_IGNORE, WIDE_IGNORE, LabelFileError, map_labels, read_label_file


@TRANSFORMS.register_module()
class LoadLabelMap(LoadAnnotations):
    """Load and validate label maps of 8 or 16 bits, replacing mmseg's ``LoadAnnotations``.

    The result equals that of mmseg's loader where the latter is correct. Label maps with several
    channels, another size than the image, or invalid labels raise errors that name the file.
    16 bits are never truncated to 8: 65535 is ignored, and so is 255 with up to 255 classes.

    Required keys: ``seg_map_path``; without it nothing is loaded, as for images without labels.
    Optional keys: ``ori_shape``, ``label_map``, ``reduce_zero_label``, ``num_classes`` (without it,
    every label is valid), ``ignore_index`` (must equal the argument).

    Added keys: ``gt_seg_map`` ((H, W) uint8, or int32 with ``ignore_index=65535``); its name is
    added to ``seg_fields``.

    Args:
        ignore_index: Label assigned to ignored pixels, also the metric's ``ignore_index``: 255, or
            65535 for more than 255 classes, which require 16-bit files.
        backend_args: MMEngine file backend.

    Raises:
        ValueError: ``ignore_index`` is another number.
    """

    def __init__(self, ignore_index: int = NARROW_IGNORE, backend_args: dict | None = None) -> None:
        if ignore_index not in (NARROW_IGNORE, WIDE_IGNORE):
            raise ValueError(
                f'ignore_index={ignore_index}: expected {NARROW_IGNORE}, or {WIDE_IGNORE} for more '
                'than 255 classes; set the value of unlabeled pixels in the label files as the '
                "dataset's ignore_index"
            )
        super().__init__(backend_args=backend_args)
        self.ignore_index = ignore_index

    def _load_seg_map(self, results: dict) -> None:
        """Add the label map.

        Raises:
            LabelFileError: The label map cannot be used; the message names the file.
            ValueError: ``ignore_index`` is not the dataset's, or is a class index.
        """
        path = results.get('seg_map_path')
        if path is None:
            return
        self._check_settings(results)
        values = read_label_file(path, results.get('ori_shape'), self.backend_args)
        if self.ignore_index == WIDE_IGNORE and values.itemsize == 1:
            raise LabelFileError(
                f'{path}: expected a 16-bit label map, as there are more than 255 classes, got '
                '8 bits; was it written by another converter?'
            )
        results['gt_seg_map'] = map_labels(
            path,
            values,
            self.ignore_index,
            results.get('num_classes'),
            results.get('label_map'),
            results.get('reduce_zero_label', False),
        )
        results.setdefault('seg_fields', []).append('gt_seg_map')

    def _check_settings(self, results: dict) -> None:
        expected = results.get('ignore_index', self.ignore_index)
        classes = results.get('num_classes') or 0
        if expected != self.ignore_index or classes > self.ignore_index:
            right = WIDE_IGNORE if classes > NARROW_IGNORE else expected
            raise ValueError(
                f'LoadLabelMap has ignore_index={self.ignore_index}, but {classes} classes need '
                f'ignore_index={right} in LoadLabelMap and in the metric (more than 255 classes: '
                'configs/_base_/datasets/segmentation_test_wide.py)'
            )
        # mmseg maps omitted classes to 255, which is a class index here.
        wide = self.ignore_index == WIDE_IGNORE
        if wide and results.get('label_map') is not None and 'ignore_index' not in results:
            raise ValueError(
                'selecting a subset of more than 255 classes is not supported, as mmseg maps '
                'omitted classes to 255, a class index; use all classes'
            )

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(ignore_index={self.ignore_index}, '
            f'backend_args={self.backend_args})'
        )
