"""PixelCLIP: CLIP's image encoder fine-tuned on unlabeled masks."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_langseg.models.utils import MomentumTeacher

from .language_segmentor import LanguageSegmentor


@MODELS.register_module()
class PixelCLIP(LanguageSegmentor):
    """Towards Open-Vocabulary Semantic Segmentation Without Semantic Labels (NeurIPS 2024).

    One step (Sec. 3): the student sees the strong view; the momentum teacher, updated first, sees
    the weak view; its features are averaged over each unlabeled mask and assigned to learnable
    prompts, balanced over all processes; the student's similarity maps with the prompts learn the
    union of the masks of each cluster. Testing needs only the student and plain class names.

    Args:
        momentum: ``gamma`` of the teacher, ``t <- gamma t + (1 - gamma) s``. None pools the
            student's own features of the weak view (the ablation without a teacher).
        mask_generator: Config of a module that generates masks from the weak view
            (``DINOMaskGenerator``); None uses the masks of the dataset.
        **kwargs: See :class:`LanguageSegmentor`; ``decode_head`` is a ``PixelCLIPHead``.
    """

    def __init__(
        self, *, momentum: float | None = 0.999, mask_generator: dict | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.teacher = None
        if momentum is not None:
            self.teacher = MomentumTeacher(self.backbone, momentum)
        self.mask_generator = None if mask_generator is None else MODELS.build(mask_generator)

    def loss(self, inputs: dict[str, Tensor], data_samples: list) -> dict[str, Tensor]:
        """Computes the training loss.

        Args:
            inputs: ``weak`` and ``strong`` views ``(B, 3, H, W)``, normalized; with a mask
                generator also ``dino``, the view that it generates masks from.
            data_samples: Each holds ``masks`` ``(N_i, h, w)`` bool; N_i may be 0.

        Returns:
            One loss (see ``PixelCLIPHead.loss``).
        """
        student = self.extract_feat(inputs['strong'])[-1]
        with torch.no_grad():
            if self.teacher is not None:
                self.teacher.update_parameters(self.backbone)
            teacher = (self.teacher or self.backbone)(inputs['weak'])[-1]
            masks, image_index = self.gather_masks(inputs, data_samples)
        return self.decode_head.loss(student, teacher, masks, image_index)

    @torch.no_grad()
    def gather_masks(self, inputs: dict[str, Tensor], data_samples: list) -> tuple[Tensor, Tensor]:
        """Collects the batch's masks ``(N, h, w)`` bool and the image of each ``(N,)`` int64."""
        device = inputs['weak'].device
        per_image = [sample.masks.to(device) for sample in data_samples]
        if self.mask_generator is not None:
            size = per_image[0].shape[-2:]
            per_image = list(self.mask_generator(inputs['dino'], size))
        counts = torch.tensor([len(masks) for masks in per_image], device=device)
        image_index = torch.arange(len(per_image), device=device).repeat_interleave(counts)
        return torch.cat(per_image), image_index

    @torch.no_grad()
    def mask_features(self, inputs: dict[str, Tensor], data_samples: list) -> Tensor:
        """Pools teacher features ``(M, D)`` of a batch's masks, for initializing clusters."""
        teacher = (self.teacher or self.backbone)(inputs['weak'])[-1]
        return self.decode_head.pooled_masks(teacher, *self.gather_masks(inputs, data_samples))
