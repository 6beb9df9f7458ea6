"""Class-agnostic masks from DINO features, generated before training."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from mmseg_langseg.fileio import MAX_PIXELS
from mmseg_langseg.masks.option_checks import check_bool, check_integer

from .dino import DINOMaskGenerator
from .mask_generator import name_model
from .merge_regions import MAX_REGIONS
from .region_generator import RegionGenerator
from .working_size import enlarge_regions


class DINOGenerator(RegionGenerator):
    """Regions by k-means clustering of a DINO ViT's patch tokens.

    These are the masks of :class:`DINOMaskGenerator`, computed once instead of in each epoch as in
    PixelCLIP; k-means uses the same random seed for all images. A cluster may be disconnected.

    Args:
        model_name: A timm vision transformer: ``vit_small_patch16_224.dino``,
            ``vit_base_patch8_224.dino``, ...
        num_clusters: Regions per image.
        pretrained: Load timm's public weights.
        checkpoint: Local file with weights (timm's or the original DINO's) to use instead.
        pixels: Each image is resized to about this many pixels.
        device: Device to compute on.

    Raises:
        ValueError: timm does not know the model, it is not a vision transformer, or an option is
            out of range.
        RuntimeError: The weights cannot be loaded or do not fit the model.
    """

    packages = ('timm', 'torch')

    def __init__(
        self,
        model_name: str = 'vit_small_patch16_224.dino',
        num_clusters: int = 16,
        pretrained: bool = True,
        checkpoint: str | None = None,
        pixels: int = 448 * 448,
        device: str = 'cpu',
    ) -> None:
        check_integer('num_clusters', num_clusters, 1, MAX_REGIONS)
        check_integer('pixels', pixels, 1, MAX_PIXELS)
        check_bool('pretrained', pretrained)
        self.clusters = DINOMaskGenerator(
            model_name, num_clusters, pretrained, checkpoint, mean=(0, 0, 0), std=(1, 1, 1)
        ).to(device)
        patch = self.clusters.vit.patch_embed.patch_size
        if num_clusters > pixels // (patch[0] * patch[1]):
            raise ValueError(
                f'num_clusters={num_clusters}: {pixels} pixels have '
                f'{pixels // (patch[0] * patch[1])} patches of {patch[0]} x {patch[1]}; use fewer '
                'clusters or more pixels'
            )
        self.settings = dict(
            model=name_model(model_name, checkpoint),
            num_clusters=num_clusters,
            pretrained=pretrained,
            pixels=pixels,
        )
        self.pixels = pixels
        self.device = device

    def regions(self, image: np.ndarray) -> np.ndarray:
        """Segment an image into clusters, see :meth:`MaskGenerator.regions`."""
        patch = self.clusters.vit.patch_embed.patch_size
        factor = (self.pixels / (image.shape[0] * image.shape[1])) ** 0.5
        height, width = (
            max(1, round(side * factor / step)) * step
            for side, step in zip(image.shape[:2], patch, strict=True)
        )
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(image, (width, height), interpolation=interpolation)
        batch = torch.from_numpy(resized).to(self.device).permute(2, 0, 1)[None].float()
        grid = height // patch[0], width // patch[1]
        with torch.random.fork_rng():
            torch.manual_seed(0)
            masks = self.clusters(batch, grid)[0]
        regions = masks.int().argmax(0).int().cpu().numpy()
        return enlarge_regions(regions, image.shape[:2])
