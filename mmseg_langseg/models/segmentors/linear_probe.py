"""Linear probing: a classifier on frozen pixel embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class LinearProbe(EncoderDecoder):
    """Trains only the decode head, on unit embeddings of a frozen encoder.

    The transfer protocol of self-supervised segmentation (MaskContrast, and earlier work of the
    group of CLIP-S⁴): backbone and neck keep their weights and batch normalization statistics, and
    a 1x1 convolution (``FCNHead`` with ``num_convs=0``) learns the classes. Neither MMEngine nor
    MMSegmentation can freeze a neck or an arbitrary backbone: ``frozen_stages`` is specific to
    ResNet, and with a learning rate of 0 batch statistics still change.

    Parameter names equal those of the trained segmentor, so ``load_from`` accepts any checkpoint
    with the same ``backbone`` and ``neck``. If the student is a CLIP tower, keep its ``trainable``;
    otherwise its weights would be treated as the public ones and not be saved.

    Args:
        **kwargs: See ``EncoderDecoder``.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        for module in self._frozen():
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> LinearProbe:
        """Sets the mode of the head; the encoder stays in evaluation mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        return self

    @torch.no_grad()
    def extract_feat(self, inputs: Tensor) -> tuple[Tensor]:
        """Embeds images ``(B, 3, H, W)`` as unit ``((B, D, h, w),)``, without gradient."""
        return (F.normalize(super().extract_feat(inputs)[-1].float(), dim=1),)

    def _frozen(self) -> list[torch.nn.Module]:
        return [self.backbone, self.neck] if self.with_neck else [self.backbone]
