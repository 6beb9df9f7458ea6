"""Loading or computation of superpixel region maps."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.masks.formats.region_files import read_region_map
from mmseg_langseg.masks.generators.felzenszwalb import felzenszwalb_regions
from mmseg_langseg.masks.generators.merge_regions import MAX_REGIONS
from mmseg_langseg.masks.mask_partition import masks_to_regions
from mmseg_langseg.masks.option_checks import check_integer


@TRANSFORMS.register_module()
class LoadRegionMap(BaseTransform):
    """Load or compute the superpixel region map of an image.

    The contrastive loss of CLIP-S⁴ takes its positives from regions ("superpixels or contours").
    All views are cropped from this map, so equal ids are the same region in all views. Labels and
    masks that were loaded before are dropped.

    Required keys: ``img`` ((H, W, 3) uint8 BGR); ``mask_path`` (optional) or, with
    ``source='masks'``, ``mask_rles`` and ``gt_seg_map`` of ``LoadUnlabeledMasks``.

    Added keys: ``gt_region_map`` (int32 (H, W), -1 = ignored), the only one in ``seg_fields``.

    Args:
        source: 'superpixels' reads the map at ``mask_path``, a gray or palette PNG with 8
            bits (255 = ignored) or 16 bits (65535 = ignored); for an image without one,
            Felzenszwalb's regions are computed on the fly. 'masks' converts the unlabeled masks to
            a partition, see :func:`~mmseg_langseg.masks.masks_to_regions`.
        max_regions: Maximum number of regions that are computed on the fly.
        backend_args: MMEngine file backend.

    Raises:
        ValueError: ``source`` is unknown, or ``max_regions`` is out of range.
    """

    def __init__(
        self,
        source: str = 'superpixels',
        max_regions: int = 48,
        backend_args: dict | None = None,
    ) -> None:
        if source not in ('superpixels', 'masks'):
            raise ValueError(f"source should be 'superpixels' or 'masks', got {source!r}")
        check_integer('max_regions', max_regions, 1, MAX_REGIONS)
        self.source = source
        self.max_regions = max_regions
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the region map.

        Raises:
            MaskFileError: The file is missing, not a region map, or has another size.
            ValueError: With ``source='masks'``: no masks were loaded.
        """
        if self.source == 'masks':
            regions = _from_masks(results)
        elif results.get('mask_path') is not None:
            size = results['img'].shape[:2]
            regions = read_region_map(results['mask_path'], size, self.backend_args)
        else:
            rgb = np.ascontiguousarray(results['img'][..., ::-1])
            regions = felzenszwalb_regions(rgb, max_regions=self.max_regions)
        for key in (*results.get('seg_fields', []), 'mask_rles'):
            results.pop(key, None)
        results['gt_region_map'] = regions
        results['seg_fields'] = ['gt_region_map']
        return results

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(source={self.source!r}, max_regions={self.max_regions}, '
            f'backend_args={self.backend_args})'
        )


def _from_masks(results: dict) -> np.ndarray:
    if 'mask_rles' not in results:
        raise ValueError(
            "source='masks' needs unlabeled masks, but the sample has none; put "
            "'LoadUnlabeledMasks' before 'LoadRegionMap'"
        )
    rles, index_map = results['mask_rles'], results['gt_seg_map']
    if not rles:
        return np.where(index_map < 0, -1, 0).astype(np.int32)
    regions = masks_to_regions(rles, *rles[0]['size'])
    return np.where(index_map < 0, np.int32(-1), regions.reshape(-1)[index_map])
