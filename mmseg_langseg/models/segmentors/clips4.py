"""CLIP-S⁴: self-supervised pixel embeddings that are consistent across views and with CLIP."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from .distilled_segmentor import DistilledSegmentor


@MODELS.register_module()
class CLIPS4(DistilledSegmentor):
    """CLIP-S⁴: Language-Guided Self-Supervised Semantic Segmentation (CVPR 2023).

    The student embeds augmented views; its pixel embeddings are clustered into segments. Pixels
    are contrasted with the segments of both views; segments are pulled towards CLIP's embeddings
    of the same pixels, and towards the known or unknown class that CLIP chooses for them. Testing
    works with any class names and needs neither teacher nor prototypes nor known classes.

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
        """Computes CLIP's embeddings ``(M, D)`` of a batch's regions, on the teacher's grid.

        Returns:
            See ``CLIPS4Head.unknown_features``.
        """
        clip, valid = self.teacher_views(inputs, data_samples)
        return self.decode_head.unknown_features(clip, self.view_regions(data_samples, valid))
