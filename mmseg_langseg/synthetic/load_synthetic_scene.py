"""Transform that renders the scenes of the bundled synthetic dataset."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.datasets.transforms import pixel_index_map
from mmseg_langseg.masks.formats.rle import encode_masks

from .renderer import render_scene


@TRANSFORMS.register_module()
class LoadSyntheticScene(BaseTransform):
    """Render a scene of the bundled synthetic dataset instead of loading an image and labels.

    Required keys: ``split``, ``scene_index``; ``label_map`` (optional: MMSegmentation's map from
    old to new labels when a config selects classes).

    Added keys: ``img`` (uint8 (H, W, 3), BGR), ``img_shape``, ``ori_shape``, ``gt_seg_map``,
    ``seg_fields``; with masks also ``mask_rles``.

    Args:
        with_masks: False: ``gt_seg_map`` has the labels, uint8 (H, W), for evaluation. True:
            no labels; ``mask_rles`` has the unlabeled masks (list of COCO RLEs) and
            ``gt_seg_map`` the pixel index map of ``LoadUnlabeledMasks``, int32 (H, W).
        size: Side of the image in pixels.
        exact_masks: One mask for each label of the scene instead of its overlapping masks, like the
            masks of a labeled dataset without their labels.
    """

    def __init__(self, with_masks: bool = False, size: int = 64, exact_masks: bool = False) -> None:
        self.with_masks = with_masks
        self.size = size
        self.exact_masks = exact_masks

    def transform(self, results: dict) -> dict:
        """Add the rendered scene."""
        scene = render_scene(results['split'], results['scene_index'], self.size)
        results['img'] = np.ascontiguousarray(scene.image[..., ::-1])
        results['img_shape'] = results['ori_shape'] = scene.image.shape[:2]
        if self.with_masks:
            one_per_label = scene.labels == np.unique(scene.labels)[:, None, None]
            results['mask_rles'] = encode_masks(one_per_label if self.exact_masks else scene.masks)
            results['gt_seg_map'] = pixel_index_map(*scene.image.shape[:2])
        else:
            results['gt_seg_map'] = _relabel(scene.labels, results.get('label_map'))
        results['reduce_zero_label'] = False
        results['seg_fields'] = ['gt_seg_map']
        return results

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(with_masks={self.with_masks}, size={self.size}, '
            f'exact_masks={self.exact_masks})'
        )


def _relabel(labels: np.ndarray, label_map: dict | None) -> np.ndarray:
    if not label_map:
        return labels
    table = np.arange(256, dtype=np.uint8)
    table[list(label_map)] = list(label_map.values())
    return table[labels]
