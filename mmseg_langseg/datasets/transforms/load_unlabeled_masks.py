"""Loading of unlabeled masks."""

from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.masks import MaskFilter
from mmseg_langseg.masks.formats import read_mask_annotations

from .pixel_index import pixel_index_map


@TRANSFORMS.register_module()
class LoadUnlabeledMasks(BaseTransform):
    """Load the run-length encoded masks of an image and a map of its pixels.

    The masks stay encoded. In place of a label map the pipeline carries a map of pixel indices,
    so MMSegmentation's own geometric transforms move it; ``PackMaskInputs`` looks the masks up at
    the pixels that are left. The cost does not grow with (number of masks) x (image size).

    Required keys: ``img_path``, ``img_shape``; ``mask_path`` (``None`` or absent: no masks).

    Added keys: ``mask_rles`` (list of COCO RLEs), ``gt_seg_map`` (int32 (H, W), ``row * W + col``),
    ``seg_fields``.

    Args:
        mask_filter: Arguments of :class:`~mmseg_langseg.masks.MaskFilter`: areas, scores, and a
            cap. ``None``: all masks.
        backend_args: File backend of mmengine.
    """

    def __init__(self, mask_filter: dict | None = None, backend_args: dict | None = None) -> None:
        self.mask_filter = MaskFilter(**(mask_filter or {}))
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add masks and pixel map.

        Raises:
            MaskFileError: The mask file is missing, damaged, of another image, or lacks a score
                that the filter asks for.
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
        """Name and arguments."""
        return (
            f'{type(self).__name__}(mask_filter={self.mask_filter}, '
            f'backend_args={self.backend_args})'
        )
