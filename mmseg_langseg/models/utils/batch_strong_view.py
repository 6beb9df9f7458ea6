"""PixelCLIP's strong view, made of a whole batch on the model's device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from mmseg_langseg.datasets.transforms.strong_view import StrongView


class BatchStrongView:
    """Distort the weak views of a batch as ``StrongView`` does it in the loader.

    The draws have the same distribution: the same torchvision transforms, on tensors in place of
    PIL's images, whose rounding differs, and a Gaussian blur in place of PIL's approximation by
    boxes. The numbers come from the process's own generators, so with equal seeds the processes of
    a distributed training distort their different images alike.

    Args:
        erase_cutout: Remove the cutout box from the masks of the samples, as ``PackMaskInputs``
            does it.
        bgr: Whether the images are BGR.
        **kwargs: Probabilities and ranges, see ``StrongView``.
    """

    def __init__(self, erase_cutout: bool = True, bgr: bool = True, **kwargs) -> None:
        self.view = StrongView(**kwargs)
        self.erase_cutout = erase_cutout
        self.bgr = bgr

    def __call__(
        self, images: Sequence[Tensor], samples: Sequence[SegDataSample] | None = None
    ) -> list[Tensor]:
        """Make the strong views.

        Args:
            images: uint8 (3, H, W) each, of any sizes, on one device.
            samples: Their samples; ``masks``, bool (N, h, w), lose the cutout.

        Returns:
            uint8 (3, H, W) each, new tensors.
        """
        strong = []
        for i, image in enumerate(images):
            view = self._distort(image)
            if np.random.rand() < self.view.cutout_prob:
                box = self.view._random_box(*view.shape[1:])
                x0, y0, x1, y1 = box
                view[:, y0:y1, x0:x1] = 0
                if self.erase_cutout and samples is not None and 'masks' in samples[i]:
                    masks = _erase(samples[i].masks, box, view.shape[1:])
                    samples[i].set_field(masks, 'masks', dtype=torch.Tensor)
            strong.append(view)
        return strong

    def _distort(self, image: Tensor) -> Tensor:
        rgb = image.flip(0) if self.bgr else image.clone()
        rgb = self.view.color(rgb)
        if np.random.rand() < self.view.blur_prob:
            rgb = _blur(rgb, np.random.uniform(*self.view.blur_radius))
        return rgb.flip(0) if self.bgr else rgb


def _blur(image: Tensor, sigma: float) -> Tensor:
    # Reflection needs a margin that is smaller than the image.
    margin = min(math.ceil(3 * sigma), min(image.shape[1:]) - 1)
    if margin < 1:
        return image
    return gaussian_blur(image, [2 * margin + 1] * 2, [sigma] * 2)


def _erase(masks: Tensor, box: tuple[int, int, int, int], size: Sequence[int]) -> Tensor:
    """Remove a box of the image from masks of another size, see ``PackMaskInputs``."""
    x0, y0, x1, y1 = box
    rows, cols = (
        torch.arange(out, device=masks.device) * side // out
        for side, out in zip(size, masks.shape[1:], strict=True)
    )
    erased = ((rows >= y0) & (rows < y1))[:, None] & ((cols >= x0) & (cols < x1))
    return masks & ~erased
