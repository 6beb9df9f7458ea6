"""Multi-view augmentation."""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.transforms import BaseTransform, Compose
from mmseg.registry import TRANSFORMS

from mmseg_langseg.masks import check_integer


@TRANSFORMS.register_module()
class AugmentedViews(BaseTransform):
    """Generate several augmented views of an image and its maps.

    The inner pipeline runs on a copy for each view, with independent random geometry and colors,
    as in CLIP-S⁴; the unaugmented image is kept for the frozen teacher.

    Required keys: ``img``; ``seg_fields`` (optional): keys of maps (H, W).

    Added keys: ``views``, list of ``num_views`` results of the inner pipeline.

    Args:
        transforms: Configs of the inner pipeline; ``RandomView`` must be its only geometric
            transform, as no other one records its geometry.
        num_views: Number of views per image.

    Raises:
        ValueError: ``num_views`` is less than 1.
    """

    def __init__(self, transforms: Sequence[dict], num_views: int = 2) -> None:
        check_integer('num_views', num_views, 1)
        self.transforms = Compose(transforms)
        self.num_views = num_views

    def transform(self, results: dict) -> dict | None:
        """Add the views; return ``None`` if the inner pipeline returns ``None`` for one."""
        views = [self.transforms(_copy(results)) for _ in range(self.num_views)]
        if any(view is None for view in views):
            return None
        results['views'] = views
        return results

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return f'{type(self).__name__}(transforms={self.transforms}, num_views={self.num_views})'


def _copy(results: dict) -> dict:
    """Copy the image and the maps, which a pipeline may modify in place."""
    view = dict(results, seg_fields=list(results.get('seg_fields', [])))
    for key in ('img', *view['seg_fields']):
        view[key] = results[key].copy()
    return view
