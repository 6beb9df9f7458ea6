"""Embedding head: pixel embeddings in CLIP's joint space from any backbone."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class EmbeddingHead(BaseModule):
    """Turns a decode head of MMSegmentation into an embedding head.

    The head's last 1x1 convolution, which outputs one channel per class, becomes the projection to
    the joint space, without activation, since cosines with text need signed values. Used as the
    ``neck`` of a segmentor, so that ``extract_feat`` returns embeddings as with a CLIP tower and a
    :class:`LanguageHead` classifies them with any class names. (CLIP-S⁴, Sec. 3.1, says that an
    encoder maps images to unit pixel embeddings; its architecture is not known.)

    Args:
        head: Config of a decode head (``PSPHead``, ``ASPPHead``, ``FCNHead``, ...), without
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
