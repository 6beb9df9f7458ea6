"""Pixel embeddings in CLIP's joint space from any backbone."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class EmbeddingHead(BaseModule):
    """Turns one of MMSegmentation's decode heads into an embedding network.

    The last 1x1 convolution of the head, which gives one channel a class, becomes the projection to
    the joint space; nothing follows it, since cosines with text need signed values. Used as the
    ``neck`` of a segmentor, so that its ``extract_feat`` gives embeddings as a CLIP tower does and
    a :class:`LanguageHead` scores them with any words. (CLIP-S⁴, Sec. 3.1, says that an encoder
    maps images to unit pixel embeddings; its architecture is not known.)

    Args:
        head: Config of a decode head (``PSPHead``, ``ASPPHead``, ``FCNHead``, ...), without its
            classes and losses.
        embed_dim: D, the width of the joint space.
    """

    def __init__(self, head: dict, embed_dim: int, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.embed_dim = embed_dim
        self.head = MODELS.build({'dropout_ratio': 0.0, **head, 'num_classes': embed_dim})

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor]:
        """Maps a backbone's feature maps to ``((B, D, h, w),)``, not normalized."""
        return (self.head(features),)
