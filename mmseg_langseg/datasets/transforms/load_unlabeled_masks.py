"""Loading of class-agnostic masks."""

from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.masks import MaskFilter
from mmseg_langseg.masks.formats import read_mask_annotations

from .pixel_index import pixel_index_map


@TRANSFORMS.register_module()
class LoadUnlabeledMasks(BaseTransform):
    """Load the run-length encoded, class-agnostic masks of an image.

    The masks stay encoded. Instead of a label map, MMSegmentation's geometric transforms get a map
    of pixel indices; ``PackMaskInputs`` looks the masks up at the remaining pixels. The cost does
    not grow with (number of masks) x (image size).

    Required keys: ``img_path``, ``img_shape``; ``mask_path`` (``None`` or absent: no masks).

    Added keys: ``mask_rles`` (list of COCO RLEs), ``gt_seg_map`` (int32 (H, W), ``row * W + col``),
    ``seg_fields``.

    Args:
        mask_filter: Arguments of :class:`~mmseg_langseg.masks.MaskFilter`: areas, scores, and
            maximum number. ``None``: all masks.
        backend_args: MMEngine file backend.
    """

    def __init__(self, mask_filter: dict | None = None, backend_args: dict | None = None) -> None:
        self.mask_filter = MaskFilter(**(mask_filter or {}))
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the masks and the pixel index map.

        Raises:
            MaskFileError: The mask file is missing, damaged, of another image, or lacks a score
                that the filter requires.
        """
        height, width = results['img_shape'][:2]
        results['mask_rles'] = self._load(results) if results.get('mask_path') else []
        results['gt_seg_map'] = pixel_index_map(height, width)
        results['seg_fields'] = ['gt_seg_map']
        return results

    def _load(self, results: dict) -> list[dict]:
        path = results['mask_path']
        annotations = read_mask_annotations(
            path, results['img_shape'][:2], results.get('img_path'), self.backend_args
        )
        kept = self.mask_filter(annotations, path)
        return [annotation['segmentation'] for annotation in kept]

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(mask_filter={self.mask_filter}, '
            f'backend_args={self.backend_args})'
        )
