"""Packing of images and class-agnostic masks for training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample

from mmseg_langseg.masks import check_pair
from mmseg_langseg.masks.formats import lookup_rles


@TRANSFORMS.register_module()
class PackMaskInputs(BaseTransform):
    """Pack the weak and strong view of an image and its masks, looked up at the final pixels.

    Required keys: ``img``; optional: ``mask_rles`` and ``gt_seg_map`` (pixel indices, -1 = outside)
    of ``LoadUnlabeledMasks``, ``img_strong`` and ``cutout_box`` of ``StrongView``.

    Args:
        mask_size: Height and width of the masks; nearest neighbor, pixel ``floor(i * H / h)``.
        erase_cutout: Remove the cutout box from every mask, as the official PixelCLIP code does
            with SAM's masks.
        meta_keys: Keys to copy to the sample's meta information if present.

    Raises:
        ValueError: ``mask_size`` is not a size.
    """

    def __init__(
        self,
        mask_size: tuple[int, int] = (256, 256),
        erase_cutout: bool = True,
        meta_keys: Sequence[str] = (
            'img_path',
            'mask_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'flip',
            'flip_direction',
            'cutout_box',
        ),
    ) -> None:
        check_pair('mask_size', mask_size, 1)
        self.mask_size = tuple(mask_size)
        self.erase_cutout = erase_cutout
        self.meta_keys = meta_keys

    def transform(self, results: dict) -> dict:
        """Pack one sample.

        Returns:
            ``inputs``: dict of ``weak`` and, if present, ``strong``, uint8 tensors (3, H, W) in
            the channel order of the loader; ``data_samples``: a ``SegDataSample`` with ``masks``,
            a bool tensor ``(N, *mask_size)``, N = 0 without masks. Masks that are empty after the
            crop are kept.
        """
        inputs = {'weak': _to_chw(results['img'])}
        if 'img_strong' in results:
            inputs['strong'] = _to_chw(results['img_strong'])

        sample = SegDataSample()
        masks = torch.from_numpy(self._masks(results))
        sample.set_field(masks, 'masks', dtype=torch.Tensor)
        sample.set_metainfo({key: results[key] for key in self.meta_keys if key in results})
        return dict(inputs=inputs, data_samples=sample)

    def _masks(self, results: dict) -> np.ndarray:
        if not results.get('mask_rles'):
            return np.zeros((0, *self.mask_size), dtype=bool)
        index_map = results['gt_seg_map']
        rows, cols = (
            np.arange(out) * side // out
            for side, out in zip(index_map.shape, self.mask_size, strict=True)
        )
        index_map = index_map[np.ix_(rows, cols)]
        if self.erase_cutout and 'cutout_box' in results:
            x0, y0, x1, y1 = results['cutout_box']
            index_map[np.ix_((rows >= y0) & (rows < y1), (cols >= x0) & (cols < x1))] = -1
        return lookup_rles(results['mask_rles'], index_map)

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(mask_size={self.mask_size}, '
            f'erase_cutout={self.erase_cutout}, meta_keys={self.meta_keys})'
        )


def _to_chw(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
