"""Random resize, flip and crop that records its affine matrix."""

from __future__ import annotations

from typing import NamedTuple

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.masks import check_number, check_pair

# Approximate mean color (BGR) of ImageNet and of CLIP's training images: after normalization, the
# padding is close to 0, as in MMSegmentation.
_PAD_COLOR = (104, 117, 123)


class ViewGeometry(NamedTuple):
    """Parameters of a resize, followed by a flip and a crop.

    Attributes:
        size: (H1, W1) in pixels, size of the image after the resize.
        flip: Whether the image is then flipped horizontally.
        origin: (c_y, c_x) in pixels, upper left corner of the crop in the flipped image.
    """

    size: tuple[int, int]
    flip: bool
    origin: tuple[int, int]


@TRANSFORMS.register_module()
class RandomView(BaseTransform):
    """Random resize, flip and crop that records its affine matrix.

    This is the geometry of CLIP-S⁴'s views. The paper only mentions the random crop; the flip and
    the ranges are those of HSG, the most closely related published code. An image smaller than the
    crop is padded at the lower right with the mean color.

    Required keys: ``img`` ((H, W, 3), BGR); ``seg_fields`` (optional): keys of integer maps (H, W).

    Modified keys: ``img`` (bilinear) and the maps (the pixel under the center of the view's pixel,
    -1 in the padding, which is 255 in uint8), all of ``crop_size``; ``img_shape``.

    Added keys: ``view_matrix``, float32 (2, 3): see :func:`view_matrix`. It maps to the input image
    of this transform, so no other geometric transform may follow.

    Args:
        crop_size: (height, width) of the view in pixels.
        ratio_range: Minimum and maximum resize factor, relative to the input image.
        flip_prob: Probability of the horizontal flip.

    Raises:
        ValueError: ``ratio_range`` is not an increasing range of positive numbers, or another
            argument is out of range.
    """

    def __init__(
        self,
        crop_size: tuple[int, int] = (448, 448),
        ratio_range: tuple[float, float] = (0.5, 1.5),
        flip_prob: float = 0.5,
    ) -> None:
        check_pair('crop_size', crop_size, 1)
        check_pair('ratio_range', ratio_range, 0)
        check_number('flip_prob', flip_prob, 0, 1)
        if not 0 < ratio_range[0] <= ratio_range[1]:
            raise ValueError(
                f'ratio_range should be an increasing range of positive numbers, got {ratio_range}'
            )
        self.crop_size = tuple(crop_size)
        self.ratio_range = tuple(ratio_range)
        self.flip_prob = flip_prob

    def transform(self, results: dict) -> dict:
        """Transform the image and its maps to a view."""
        geometry = self._draw(results['img'].shape[:2])
        results['img'] = self._view_image(results['img'], geometry)
        for key in results.get('seg_fields', []):
            results[key] = self._view_map(results[key], geometry)
        results['img_shape'] = self.crop_size
        results['view_matrix'] = view_matrix(geometry, self.crop_size)
        return results

    def _draw(self, shape: tuple[int, int]) -> ViewGeometry:
        ratio = np.random.uniform(*self.ratio_range)
        size = tuple(max(1, round(side * ratio)) for side in shape)
        flip = np.random.rand() < self.flip_prob
        origin = tuple(
            np.random.randint(max(side - crop, 0) + 1)
            for side, crop in zip(size, self.crop_size, strict=True)
        )
        return ViewGeometry(size, flip, origin)

    def _view_image(self, image: np.ndarray, geometry: ViewGeometry) -> np.ndarray:
        height, width = geometry.size
        image = mmcv.imresize(image, (width, height), interpolation='bilinear')
        if geometry.flip:
            image = mmcv.imflip(image)
        y, x = geometry.origin
        image = image[y : y + self.crop_size[0], x : x + self.crop_size[1]]
        if image.shape[:2] == self.crop_size:
            return np.ascontiguousarray(image)
        return mmcv.impad(image, shape=self.crop_size, pad_val=_PAD_COLOR)

    def _view_map(self, ids: np.ndarray, geometry: ViewGeometry) -> np.ndarray:
        # OpenCV's nearest neighbor takes the pixel under a corner, half a pixel off.
        rows, cols = (
            (2 * (start + np.arange(min(crop, side - start))) + 1)
            for start, crop, side in zip(
                geometry.origin, self.crop_size, geometry.size, strict=True
            )
        )
        if geometry.flip:
            cols = 2 * geometry.size[1] - cols
        rows = rows * ids.shape[0] // (2 * geometry.size[0])
        cols = cols * ids.shape[1] // (2 * geometry.size[1])
        view = np.full(self.crop_size, -1).astype(ids.dtype)
        view[: len(rows), : len(cols)] = ids[rows][:, cols]
        return view

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, ratio_range={self.ratio_range}, '
            f'flip_prob={self.flip_prob})'
        )


def view_matrix(geometry: ViewGeometry, crop_size: tuple[int, int]) -> np.ndarray:
    """Compute the affine matrix from the coordinates of a view to those of its source image.

    Both are normalized as in ``affine_grid(align_corners=False)``: -1 and 1 are the outer edges of
    the first and the last pixel. Outside [-1, 1] the view is padding.

    Args:
        geometry: Parameters of the view.
        crop_size: (height, width) of the view in pixels.

    Returns:
        float32 (2, 3); multiplied by (x, y, 1) of the view, it gives (x, y) of the image.
    """
    (height, width), (c_y, c_x) = geometry.size, geometry.origin
    crop_height, crop_width = crop_size
    sign = -1 if geometry.flip else 1
    row_x = sign * np.array([crop_width / width, 0, (crop_width + 2 * c_x) / width - 1])
    row_y = np.array([0, crop_height / height, (crop_height + 2 * c_y) / height - 1])
    return np.stack([row_x, row_y]).astype(np.float32)
