"""Shortest-edge resize as in detectron2."""

from __future__ import annotations

from mmcv.transforms import Resize
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ShortestEdgeResize(Resize):
    """Resize the shortest edge to a fixed length with Pillow's bilinear filter, as in detectron2.

    Unlike OpenCV's filter, the default of ``Resize``, Pillow's filter antialiases when shrinking.
    Sizes are rounded as in detectron2; those of ``Resize(keep_ratio=True)`` differ by a pixel for a
    few sizes at the limit of the long side. A label map that is already loaded is resized as well.

    Args:
        scale: Maximum length of the long side and length of the short side in pixels, in either
            order, as in ``Resize(keep_ratio=True)``; the short side shrinks with the long one.
    """

    def __init__(self, scale: tuple[int, int]) -> None:
        super().__init__(scale=tuple(scale), backend='pillow', interpolation='bilinear')

    def transform(self, results: dict) -> dict:
        """Resize ``img``, uint8 (H, W, 3), and the label map, if there is one."""
        height, width = results['img'].shape[:2]
        size = shortest_edge_size(height, width, min(self.scale), max(self.scale))
        results['scale'] = size[::-1]
        self._resize_img(results)
        self._resize_seg(results)
        return results


def shortest_edge_size(height: int, width: int, short_side: int, long_side: int) -> tuple[int, int]:
    """Return the (height, width) of an image after detectron2's ``ResizeShortestEdge``."""
    scale = short_side / min(height, width)
    size = (short_side, scale * width) if height < width else (scale * height, short_side)
    if max(size) > long_side:
        # Apply the second factor to the first product: the order affects the rounding of halves.
        limit = long_side / max(size)
        size = (size[0] * limit, size[1] * limit)
    return int(size[0] + 0.5), int(size[1] + 0.5)
