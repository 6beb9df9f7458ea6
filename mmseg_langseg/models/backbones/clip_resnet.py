"""CLIP's modified ResNet as a dense feature extractor."""

from __future__ import annotations

from mmseg.registry import MODELS
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor

from .clip_tower import CLIPTower


@MODELS.register_module()
class CLIPResNet(CLIPTower):
    """CLIP's ResNet (``RN50``, larger) as a dense tower: ``(B, 3, H, W) -> ((B, D, H/32, W/32),)``.

    The attention pool is replaced by its value and output projections, applied to every pixel;
    its position embedding and mean token are not used (MaskCLIP, Sec. 3.2).

    Args:
        arch: See :class:`CLIPTower`.
        pretrained: See :class:`CLIPTower`.
        trainable: See :class:`CLIPTower`.
        norm_eval: See :class:`CLIPTower`.
        with_keys: Also return the keys of the attention pool (for MaskCLIP's key smoothing).
    """

    visual_type = ModifiedResNet

    def __init__(
        self,
        arch: str | dict = 'RN50-quickgelu',
        pretrained: str | None = None,
        trainable: str = 'none',
        norm_eval: bool = True,
        with_keys: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(arch, pretrained, trainable, norm_eval, init_cfg=init_cfg)
        self.embed_dim = self.visual.attnpool.c_proj.out_features
        self.with_keys = with_keys

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Computes dense features.

        Args:
            images: Normalized images ``(B, 3, H, W)``.

        Returns:
            ``((B, D, h, w),)``, not normalized; with keys ``((B, C, h, w), (B, D, h, w))``.
        """
        visual = self.visual
        features = visual.stem(images)
        for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            features = layer(features)
        pool = visual.attnpool
        pixels = features.permute(0, 2, 3, 1)
        maps = [pool.c_proj(pool.v_proj(pixels))]
        if self.with_keys:
            maps.insert(0, pool.k_proj(pixels))
        return tuple(m.permute(0, 3, 1, 2) for m in maps)
