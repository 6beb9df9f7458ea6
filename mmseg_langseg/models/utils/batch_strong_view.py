"""Strong augmentation of PixelCLIP for a whole batch on the model's device."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmengine.dist import get_rank
from mmseg.structures import SegDataSample
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from mmseg_langseg.datasets.transforms.strong_view import StrongView


class BatchStrongView:
    """Augment the weak views of a batch as ``StrongView`` does in the data loader.

    The random parameters have the same distribution. The same torchvision transforms are applied,
    to tensors instead of PIL images, which rounds differently; the blur is Gaussian instead of
    PIL's box approximation. Images are processed one by one: each has its own steps, in its own
    order. MMEngine gives all processes of a training the same seed, so this object has its own
    generators, which differ between processes like those of the loader's workers. They are seeded
    anew whenever torch is, as ``IterationSeedHook`` does before each iteration.

    Args:
        erase_cutout: Remove the cutout box from the samples' masks, as ``PackMaskInputs`` does.
        bgr: Whether the images are BGR.
        **kwargs: Probabilities and ranges, see ``StrongView``.
    """

    def __init__(self, erase_cutout: bool = True, bgr: bool = True, **kwargs) -> None:
        self.view = StrongView(**kwargs)
        self.erase_cutout = erase_cutout
        self.bgr = bgr
        self._seed: int | None = None
        self._states: tuple = ()

    def __call__(
        self, images: Sequence[Tensor], samples: Sequence[SegDataSample] | None = None
    ) -> list[Tensor]:
        """Compute the strong views.

        Args:
            images: uint8 (3, H, W) each, of any sizes, on one device.
            samples: Their samples; the cutout is removed from ``masks``, bool (N, h, w).

        Returns:
            uint8 (3, H, W) each, new tensors.
        """
        samples = [None] * len(images) if samples is None else samples
        with self._own_draws():
            return [self._make(*pair) for pair in zip(images, samples, strict=True)]

    def _make(self, image: Tensor, sample: SegDataSample | None) -> Tensor:
        view = self._distort(image)
        if np.random.rand() < self.view.cutout_prob:
            box = self.view._random_box(*view.shape[1:])
            x0, y0, x1, y1 = box
            view[:, y0:y1, x0:x1] = 0
            if self.erase_cutout and sample is not None and 'masks' in sample:
                masks = _erase(sample.masks, box, view.shape[1:])
                sample.set_field(masks, 'masks', dtype=torch.Tensor)
        return view

    @contextlib.contextmanager
    def _own_draws(self) -> Iterator[None]:
        """Let torch (on the CPU) and numpy draw from this object's generators."""
        outer = np.random.get_state()
        with contextlib.ExitStack() as stack:
            stack.callback(np.random.set_state, outer)
            stack.enter_context(torch.random.fork_rng(devices=[]))
            if self._seed != torch.initial_seed():
                self._seed = torch.initial_seed()
                seeds = np.random.SeedSequence([self._seed, get_rank()])
                first, second = seeds.generate_state(2).tolist()
                torch.default_generator.manual_seed(first)
                np.random.seed(second)
            else:
                torch.set_rng_state(self._states[0])
                np.random.set_state(self._states[1])
            yield
            self._states = torch.get_rng_state(), np.random.get_state()

    def _distort(self, image: Tensor) -> Tensor:
        rgb = image.flip(0) if self.bgr else image.clone()
        rgb = self.view.color(rgb)
        if np.random.rand() < self.view.blur_prob:
            rgb = _blur(rgb, np.random.uniform(*self.view.blur_radius))
        return rgb.flip(0) if self.bgr else rgb


def _blur(image: Tensor, sigma: float) -> Tensor:
    # Reflection padding must be smaller than the image.
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
