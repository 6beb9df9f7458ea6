"""CLIP-S⁴: pixel embeddings that are consistent between views and with CLIP."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from .distilled_segmentor import DistilledSegmentor


@MODELS.register_module()
class CLIPS4(DistilledSegmentor):
    """CLIP-S⁴: Language-Guided Self-Supervised Semantic Segmentation (CVPR 2023).

    The student embeds augmented views; its pixels are clustered into segments. Pixels are
    contrasted with segments of both views, segments are drawn to CLIP's embedding of the same
    pixels, and to the class, known or unknown, that CLIP chooses for them. At test time pixels are
    compared with the text of any names; teacher, prototypes and known names are gone.

    Args:
        teacher: See :class:`DistilledSegmentor`.
        **kwargs: See :class:`LanguageSegmentor`; ``decode_head`` is a ``CLIPS4Head``.
    """

    def loss(self, inputs: dict[str, Tensor], data_samples: list) -> dict[str, Tensor]:
        """Computes the three losses.

        Args:
            inputs: See :meth:`DistilledSegmentor.view_batch`.
            data_samples: Likewise.

        Returns:
            See ``CLIPS4Head.loss``.
        """
        return self.decode_head.loss(*self.view_batch(inputs, data_samples))

    @torch.no_grad()
    def mask_features(self, inputs: dict[str, Tensor], data_samples: list) -> Tensor:
        """CLIP's embeddings ``(M, D)`` of a batch's regions, on its own grid.

        Returns:
            See ``CLIPS4Head.unknown_features``.
        """
        clip, valid = self.teacher_views(inputs, data_samples)
        return self.decode_head.unknown_features(clip, self.view_regions(data_samples, valid))
