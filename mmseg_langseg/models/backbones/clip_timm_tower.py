"""CLIP image towers with a convolutional timm trunk (ConvNeXt and others)."""

from __future__ import annotations

from mmseg.registry import MODELS
from open_clip.timm_model import TimmModel
from timm.layers import DropPath
from torch import Tensor, nn

from .clip_tower import CLIPTower


@MODELS.register_module()
class CLIPTimmTower(CLIPTower):
    """A convolutional timm trunk of open_clip as a dense tower.

    CLIP's pooled path is: features, global average pooling, norm, projection. Here the pooling is
    omitted and the rest is applied to every pixel (as official PixelCLIP does for ConvNeXt):
    ``(B, 3, H, W) -> ((B, D, H/stride, W/stride),)``.

    Args:
        arch: See :class:`CLIPTower`.
        pretrained: See :class:`CLIPTower`.
        trainable: See :class:`CLIPTower`; official PixelCLIP trains ``'all'`` of a ConvNeXt.
        norm_eval: See :class:`CLIPTower`.
        drop_path: Rate of stochastic depth; None keeps the architecture's own, which for
            open_clip's ConvNeXts is 0.1 and, as in the official code, is active in the momentum
            teacher too.

    Raises:
        ValueError: If the trunk does not return feature maps, or pools by attention.
    """

    visual_type = TimmModel

    def __init__(
        self,
        arch: str | dict = 'convnext_base_w_320',
        pretrained: str | None = None,
        trainable: str = 'none',
        norm_eval: bool = True,
        drop_path: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, pretrained, trainable, norm_eval, init_cfg)
        if 'pool' in self.visual.head._modules:
            raise ValueError(f'{arch!r} pools by attention: it has no per-pixel projection.')
        self.embed_dim = self._projection_width()
        if drop_path is not None:
            for module in self.modules():
                if isinstance(module, DropPath):
                    module.drop_prob = drop_path

    def _projection_width(self) -> int:
        linear = [m for m in self.visual.head.modules() if isinstance(m, nn.Linear)]
        return linear[-1].out_features if linear else self.visual.trunk.num_features

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Computes dense features.

        Args:
            images: Normalized images ``(B, 3, H, W)``.

        Returns:
            ``((B, D, h, w),)``, not normalized.

        Raises:
            ValueError: If the trunk returns tokens instead of a feature map.
        """
        trunk = self.visual.trunk
        features = trunk.forward_features(images)
        if features.ndim != 4:
            raise ValueError(
                f'The trunk {type(trunk).__name__} returned features of shape '
                f'{tuple(features.shape)}, expected (B, C, h, w): use a convolutional model.'
            )
        norm = getattr(getattr(trunk, 'head', None), 'norm', None)
        features = features if norm is None else norm(features)
        dense = self.visual.head(features.permute(0, 2, 3, 1))
        return (dense.permute(0, 3, 1, 2),)
