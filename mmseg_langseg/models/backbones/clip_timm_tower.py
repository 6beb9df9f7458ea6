"""Image towers with a timm trunk that returns feature maps (ConvNeXt, FastViT)."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from open_clip.timm_model import TimmModel
from timm.layers import DropPath
from torch import Tensor, nn

from .clip_tower import CLIPTower


@MODELS.register_module()
class CLIPTimmTower(CLIPTower):
    """A timm trunk of open_clip that returns feature maps, as a dense tower.

    Its pooled path is: feature map, global average pooling, and a head (normalization, projection)
    in the trunk, in open_clip, or in both. Here each pixel is pooled alone and goes through all of
    the head (as official PixelCLIP does for ConvNeXt):
    ``(B, 3, H, W) -> ((B, D, H/stride, W/stride),)``.

    Args:
        arch: See :class:`CLIPTower`.
        pretrained: See :class:`CLIPTower`.
        trainable: See :class:`CLIPTower`; official PixelCLIP trains ``'all'`` of a ConvNeXt.
        norm_eval: See :class:`CLIPTower`.
        drop_path: Rate of stochastic depth; None keeps the architecture's own, which for
            open_clip's ConvNeXts is 0.1 and, as in the official code, is active in the momentum
            teacher too.
        with_cp: See :class:`CLIPTower`.

    Raises:
        ValueError: If the trunk does not return feature maps, pools by attention, or has windows
            of fixed size (Swin).
    """

    visual_type = TimmModel

    def __init__(
        self,
        arch: str | dict = 'convnext_base_w_320',
        pretrained: str | None = None,
        trainable: str = 'none',
        norm_eval: bool = True,
        drop_path: float | None = None,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, pretrained, trainable, norm_eval, with_cp, init_cfg)
        if 'pool' in self.visual.head._modules:
            raise ValueError(f'{arch!r} pools by attention: it has no per-pixel projection.')
        self.check_trunk(self.visual.trunk, arch)
        with torch.no_grad():
            self.embed_dim = self._project(
                torch.zeros(1, 1, 1, self.visual.trunk.num_features)
            ).shape[-1]
        if drop_path is not None:
            for module in self.modules():
                if isinstance(module, DropPath):
                    module.drop_prob = drop_path

    @staticmethod
    def check_trunk(trunk: nn.Module, arch: str | dict) -> None:
        """Checks that the dense features of a trunk are known.

        Raises:
            ValueError: If they are not.
        """
        if hasattr(trunk, 'num_prefix_tokens'):
            raise ValueError(f'{arch!r} has a ViT as its trunk: use CLIPTimmVisionTransformer.')
        if getattr(trunk, 'output_fmt', 'NCHW') != 'NCHW':
            raise ValueError(f'{arch!r} has windows of fixed size: its dense features are unknown.')

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Computes dense features.

        Args:
            images: Normalized images ``(B, 3, H, W)``.

        Returns:
            ``((B, D, h, w),)``, not normalized.
        """
        features = self.visual.trunk.forward_features(images)
        dense = self._project(features.permute(0, 2, 3, 1))
        return (dense.permute(0, 3, 1, 2),)

    def _project(self, pixels: Tensor) -> Tensor:
        """Applies the heads of trunk and model to each pixel, ``(B, h, w, C) -> (B, h, w, D)``."""
        alone = self.visual.trunk.forward_head(pixels.flatten(0, 2)[:, :, None, None])
        return self.visual.head(alone).unflatten(0, pixels.shape[:3])
