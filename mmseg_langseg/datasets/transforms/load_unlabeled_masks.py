"""Loading of unlabelled masks."""

from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.masks import read_mask_file

from .pixel_index import pixel_index_map


@TRANSFORMS.register_module()
class LoadUnlabeledMasks(BaseTransform):
    """Load the run-length encoded masks of an image and a map of its pixels.

    The masks stay encoded. In place of a label map the pipeline carries a map of pixel indices,
    so MMSegmentation's own geometric transforms move it; ``PackMaskInputs`` looks the masks up at
    the pixels that are left. The cost does not grow with (number of masks) x (image size).

    Required keys: ``ori_shape``, ``img_shape``; ``mask_path`` (``None`` or absent: no masks).

    Added keys: ``mask_rles`` (list of COCO RLEs), ``gt_seg_map`` (int32 (H, W), ``row * W + col``),
    ``seg_fields``.

    Args:
        backend_args: File backend of mmengine.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add masks and pixel map.

        Raises:
            MaskFileError: The mask file is missing, damaged, or of another image size.
        """
        height, width = results['img_shape'][:2]
        path = results.get('mask_path')
        results['mask_rles'] = (
            [] if path is None else read_mask_file(path, (height, width), self.backend_args)
        )
        results['gt_seg_map'] = pixel_index_map(height, width)
        results['seg_fields'] = ['gt_seg_map']
        return results

    def __repr__(self) -> str:
        """Name and arguments."""
        return f'{type(self).__name__}(backend_args={self.backend_args})'
