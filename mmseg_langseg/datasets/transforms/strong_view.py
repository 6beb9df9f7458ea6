"""Strong augmentation of PixelCLIP's student view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image, ImageFilter
from torchvision.transforms import ColorJitter, Compose, RandomApply, RandomGrayscale

from mmseg_langseg.masks import check_number, check_pair


@TRANSFORMS.register_module()
class StrongView(BaseTransform):
    """Generate the student's strong view: color jitter, grayscale, blur and cutout.

    The geometry does not change, so both views share the masks. Put it after the last geometric
    transform. The default values are those of the official code; the paper does not mention
    that the cutout box is removed from the masks, see ``PackMaskInputs``.

    Required keys: ``img`` ((H, W, 3) uint8 BGR).

    Added keys: ``img_strong`` (same shape and dtype) and, if a box was cut out, ``cutout_box``
    (x0, y0, x1, y1), the half-open box of black pixels.

    Args:
        jitter: Strengths of brightness, contrast, saturation and hue of torchvision's
            ``ColorJitter``.
        jitter_prob: Probability of the color jitter.
        gray_prob: Probability of conversion to grayscale.
        blur_prob: Probability of the Gaussian blur.
        blur_radius: Range of the standard deviation of the blur, in pixels.
        cutout_prob: Probability of the cutout.
        cutout_size: Range of the box sides as fractions of the image sides, in (0, 1].

    Raises:
        ValueError: The range of the box sides is not within (0, 1], or another argument is out of
            range.
    """

    def __init__(
        self,
        jitter: Sequence[float] = (0.5, 0.5, 0.5, 0.25),
        jitter_prob: float = 0.8,
        gray_prob: float = 0.2,
        blur_prob: float = 0.5,
        blur_radius: tuple[float, float] = (0.1, 2.0),
        cutout_prob: float = 1.0,
        cutout_size: tuple[float, float] = (0.1, 0.5),
    ) -> None:
        probabilities = dict(
            jitter_prob=jitter_prob,
            gray_prob=gray_prob,
            blur_prob=blur_prob,
            cutout_prob=cutout_prob,
        )
        for name, probability in probabilities.items():
            check_number(name, probability, 0, 1)
        check_pair('blur_radius', blur_radius, 0)
        check_pair('cutout_size', cutout_size)
        if not 0 < cutout_size[0] <= cutout_size[1] <= 1:
            raise ValueError(
                f'cutout_size should be an increasing range within (0, 1], got {cutout_size}'
            )
        self.color = Compose(
            [RandomApply([ColorJitter(*jitter)], jitter_prob), RandomGrayscale(gray_prob)]
        )
        self.blur_prob = blur_prob
        self.blur_radius = blur_radius
        self.cutout_prob = cutout_prob
        self.cutout_size = cutout_size

    def transform(self, results: dict) -> dict:
        """Add the strong view."""
        strong = self._distort(results['img'])
        results.pop('cutout_box', None)
        if np.random.rand() < self.cutout_prob:
            x0, y0, x1, y1 = results['cutout_box'] = self._random_box(*strong.shape[:2])
            strong[y0:y1, x0:x1] = 0
        results['img_strong'] = strong
        return results

    def _distort(self, image: np.ndarray) -> np.ndarray:
        """Change color and sharpness; hue and gray need RGB order."""
        rgb = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
        rgb = self.color(rgb)
        if np.random.rand() < self.blur_prob:
            rgb = rgb.filter(ImageFilter.GaussianBlur(np.random.uniform(*self.blur_radius)))
        return np.ascontiguousarray(np.asarray(rgb)[..., ::-1])

    def _random_box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Draw a box (x0, y0, x1, y1) of at least one pixel inside the image."""
        box_height = max(1, int(np.random.uniform(*self.cutout_size) * height))
        box_width = max(1, int(np.random.uniform(*self.cutout_size) * width))
        y0 = np.random.randint(0, height - box_height + 1)
        x0 = np.random.randint(0, width - box_width + 1)
        return x0, y0, x0 + box_width, y0 + box_height

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(color={self.color}, blur_prob={self.blur_prob}, '
            f'blur_radius={self.blur_radius}, cutout_prob={self.cutout_prob}, '
            f'cutout_size={self.cutout_size})'
        )
