"""MaskCLIP+: any segmentation network trained on MaskCLIP's pseudo-labels."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor

from .distilled_segmentor import DistilledSegmentor


@MODELS.register_module()
class MaskCLIPPlus(DistilledSegmentor):
    """MaskCLIP+ of "Extract Free Dense Labels from CLIP" (ECCV 2022).

    The teacher, frozen MaskCLIP, labels each pixel of the un-augmented image; the student learns
    these pseudo-labels on an augmented view, and may later train on its own (self-training).
    Testing needs only the student, with any class names. The official teacher sees the augmented
    view; here it sees what CLIP-S⁴'s does, so that both methods learn from the same features.

    Args:
        teacher: See :class:`DistilledSegmentor`.
        **kwargs: See :class:`LanguageSegmentor`; ``decode_head`` is a ``MaskCLIPPlusHead``.
    """

    def loss(self, inputs: dict[str, Tensor], data_samples: list) -> dict[str, Tensor]:
        """Computes the training loss.

        Args:
            inputs: See :meth:`DistilledSegmentor.view_batch`; any number of views.
            data_samples: Likewise; ``regions`` are not needed.

        Returns:
            One loss (see ``MaskCLIPPlusHead.loss``).
        """
        embeddings = self.extract_feat(inputs['views'])[-1]
        clip, valid = self.teacher_views(inputs, data_samples, embeddings.shape[-2:])
        return self.decode_head.loss(embeddings, clip, valid)
