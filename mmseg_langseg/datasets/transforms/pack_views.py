"""Packing of augmented views for training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Pack the views of an image with their regions, matrices and the input of the teacher.

    Required keys: ``views`` of ``AugmentedViews``, each with ``img``, ``gt_region_map`` and
    ``view_matrix``; ``img``, the unaugmented image, or ``clip_features``.

    Args:
        meta_keys: Keys to copy to the sample's meta information if present.
        with_regions: Whether to pack region maps; MaskCLIP+ does not use them.
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = (
            'img_path',
            'mask_path',
            'feature_path',
            'ori_shape',
            'img_shape',
        ),
        with_regions: bool = True,
    ) -> None:
        self.meta_keys = meta_keys
        self.fields = dict(matrices='view_matrix')
        if with_regions:
            self.fields['regions'] = 'gt_region_map'

    def transform(self, results: dict) -> dict:
        """Pack one sample.

        Returns:
            ``inputs``: dict of ``views``, uint8 (V, 3, h, w), and ``clip_features``, float16
            (D, h0, w0), if they were loaded, otherwise ``image``, uint8 (3, H, W), all in the
            channel order of the loader; ``data_samples``: a ``SegDataSample`` with ``regions``
            (with ``with_regions``), int32 (V, h, w), region ids of the unaugmented image, -1 =
            ignored, and ``matrices``, float32 (V, 2, 3), see ``RandomView``.

        Raises:
            ValueError: A view lacks its regions or its matrix.
        """
        views = results['views']
        inputs = dict(views=_stack(views, 'img').permute(0, 3, 1, 2).contiguous())
        if 'clip_features' in results:
            inputs['clip_features'] = torch.from_numpy(results['clip_features'])
        else:
            image = results['img'].transpose(2, 0, 1)
            inputs['image'] = torch.from_numpy(np.ascontiguousarray(image))

        sample = SegDataSample()
        for name, key in self.fields.items():
            sample.set_field(_stack(views, key), name, dtype=torch.Tensor)
        sample.set_metainfo({key: results[key] for key in self.meta_keys if key in results})
        return dict(inputs=inputs, data_samples=sample)

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        with_regions = 'regions' in self.fields
        return f'{type(self).__name__}(meta_keys={self.meta_keys}, with_regions={with_regions})'


def _stack(views: Sequence[dict], key: str) -> torch.Tensor:
    if any(key not in view for view in views):
        raise ValueError(
            f"a view lacks '{key}'; put 'LoadRegionMap' before 'AugmentedViews' and add "
            "'RandomView' to its transforms"
        )
    return torch.from_numpy(np.stack([view[key] for view in views]))
