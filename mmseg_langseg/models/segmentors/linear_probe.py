"""A classifier on frozen embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class LinearProbe(EncoderDecoder):
    """Trains the decode head alone, on unit embeddings of a frozen encoder.

    The transfer protocol of self-supervised segmentation (MaskContrast, and the group of CLIP-S⁴
    before it): backbone and neck keep their weights and their batch statistics, and a 1x1
    convolution (``FCNHead`` with ``num_convs=0``) learns the classes. Neither MMEngine nor
    MMSegmentation freezes a neck or any backbone: ``frozen_stages`` is the ResNet's, and a
    learning rate of 0 leaves batch statistics moving.

    The names of its weights are those of the trained segmentor, so ``load_from`` takes any
    checkpoint with the same ``backbone`` and ``neck``. A student that is a CLIP tower keeps its
    ``trainable`` here, or its weights would be taken for the public ones and not be saved.

    Args:
        **kwargs: See ``EncoderDecoder``.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        for module in self._frozen():
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> LinearProbe:
        """Sets the mode of the head; the encoder always stays in evaluation mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        return self

    @torch.no_grad()
    def extract_feat(self, inputs: Tensor) -> tuple[Tensor]:
        """Unit embeddings ``((B, D, h, w),)`` of images ``(B, 3, H, W)``, without gradient."""
        return (F.normalize(super().extract_feat(inputs)[-1].float(), dim=1),)

    def _frozen(self) -> list[torch.nn.Module]:
        return [self.backbone, self.neck] if self.with_neck else [self.backbone]
