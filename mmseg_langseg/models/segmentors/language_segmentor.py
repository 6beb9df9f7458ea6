"""The segmentor whose classes are words."""

from __future__ import annotations

import copy

import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_langseg.models.text_encoders import Vocabulary


@MODELS.register_module()
class LanguageSegmentor(EncoderDecoder):
    """An ``EncoderDecoder`` with a CLIP tower and a language head.

    Untrained it is zero-shot CLIP or MaskCLIP, depending on the tower's read-out. In ``whole`` mode
    logits go from the head's grid to the original image in one bilinear step (the protocol of
    PixelCLIP); in ``slide`` mode to the window. Both work for any batch size.

    Args:
        backbone: Config of a CLIP tower.
        decode_head: Config of a ``LanguageHead``.
        clip: ``dict(arch=..., pretrained=...)``: default for both the tower and the text encoder,
            so that one line of a config changes both.
        **kwargs: See ``EncoderDecoder``.
    """

    def __init__(
        self, backbone: dict, decode_head: dict, clip: dict | None = None, **kwargs
    ) -> None:
        backbone, decode_head = copy.deepcopy(backbone), copy.deepcopy(decode_head)
        encoder = decode_head.get('text_encoder', dict(type='OpenCLIPTextEncoder'))
        decode_head['text_encoder'] = {**(clip or {}), **encoder}
        backbone = {**(clip or {}), **backbone}
        super().__init__(backbone=backbone, decode_head=decode_head, **kwargs)
        if self.backbone.embed_dim != self.decode_head.text_encoder.embed_dim:
            raise ValueError(
                f'The tower gives {self.backbone.embed_dim} channels, the text encoder '
                f'{self.decode_head.text_encoder.embed_dim}: they belong to different CLIP models.'
            )

    def set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Makes the words of a vocabulary the classes (see ``LanguageHead.set_vocabulary``)."""
        self.decode_head.set_vocabulary(vocabulary)
        self.num_classes = self.out_channels = self.decode_head.num_classes

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits of images ``(B, 3, H, W)``.

        Returns:
            ``(B, K, h', w')`` on the head's grid in whole mode, ``(B, K, H, W)`` in slide mode.
        """
        logits = self.decode_head(self.extract_feat(inputs))
        if self.test_cfg.get('mode', 'whole') == 'slide':
            logits = F.interpolate(
                logits, size=inputs.shape[2:], mode='bilinear', align_corners=self.align_corners
            )
        return logits
