"""Loading of label maps whose failures name the file."""

from __future__ import annotations

from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from ..label_files import NARROW_IGNORE, WIDE_IGNORE, LabelFileError, map_labels, read_label_file


@TRANSFORMS.register_module()
class LoadLabelMap(LoadAnnotations):
    """mmseg's ``LoadAnnotations`` for label maps of 8 or 16 bits that says what is wrong with them.

    Equal to mmseg's loader on label maps that it reads right. Label maps with several channels, of
    another size than the image, or with values of no class are errors that name the file, and 16
    bits are never cut to 8: 65535 is ignored, and so is 255 with up to 255 classes.

    Required keys: ``seg_map_path``; without it nothing is loaded, as for images without labels.
    Optional keys: ``ori_shape``, ``label_map``, ``reduce_zero_label``, ``num_classes`` (without it
    any label is taken for a class), ``ignore_index`` (must be the one below).

    Added keys: ``gt_seg_map`` ((H, W) uint8, or int32 with ``ignore_index=65535``); its name is
    added to ``seg_fields``.

    Args:
        ignore_index: Label that ignored pixels get, also the metric's ``ignore_index``: 255, or
            65535 for more than 255 classes, whose files must have 16 bits.
        backend_args: File backend of mmengine.

    Raises:
        ValueError: ``ignore_index`` is another number.
    """

    def __init__(self, ignore_index: int = NARROW_IGNORE, backend_args: dict | None = None) -> None:
        if ignore_index not in (NARROW_IGNORE, WIDE_IGNORE):
            raise ValueError(
                f'ignore_index={ignore_index}: expected {NARROW_IGNORE}, or {WIDE_IGNORE} for more '
                'than 255 classes; what a label file holds where nothing is labeled is the '
                "dataset's ignore_index"
            )
        super().__init__(backend_args=backend_args)
        self.ignore_index = ignore_index

    def _load_seg_map(self, results: dict) -> None:
        """Add the label map.

        Raises:
            LabelFileError: The label map cannot be used; the message names the file.
            ValueError: ``ignore_index`` is not the dataset's, or the number of a class.
        """
        path = results.get('seg_map_path')
        if path is None:
            return
        self._check_settings(results)
        values = read_label_file(path, results.get('ori_shape'), self.backend_args)
        if self.ignore_index == WIDE_IGNORE and values.itemsize == 1:
            raise LabelFileError(
                f'{path}: expected a label map of 16 bits, as there are more than 255 classes, got '
                '8 bits; was it made by another converter?'
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
        # mmseg writes 255 for classes that are left out, here the number of a class.
        wide = self.ignore_index == WIDE_IGNORE
        if wide and results.get('label_map') is not None and 'ignore_index' not in results:
            raise ValueError(
                'a subset of more than 255 classes cannot be told from class 255; use all classes'
            )

    def __repr__(self) -> str:
        """Name and arguments."""
        return (
            f'{type(self).__name__}(ignore_index={self.ignore_index}, '
            f'backend_args={self.backend_args})'
        )
