"""Base segmentor for students distilled from a frozen CLIP image tower."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_langseg.models.utils import FrozenTower, warp_features

from .language_segmentor import LanguageSegmentor


class ViewBatch(NamedTuple):
    """Student and teacher embeddings of a batch's augmented views, on the student's grid.

    Attributes:
        embeddings: ``(N, D, h, w)`` the student's, with gradient; N is images times views.
        clip: ``(N, D, h, w)`` the teacher's, of norm 1; zero outside the image.
        regions: ``(N, h, w)`` int64 regions of the un-augmented image, -1 where there is none.
        image_index: ``(N,)`` int64, the image that each view shows.
    """

    embeddings: Tensor
    clip: Tensor
    regions: Tensor
    image_index: Tensor


class DistilledSegmentor(LanguageSegmentor):
    """Language segmentor distilled, on augmented views, from a frozen CLIP image tower.

    The teacher sees the un-augmented image; its dense features are then warped to the geometry of
    each view (CLIP-S⁴, CVPR 2023, Fig. 2), so that all views of an image get the same values.

    Args:
        teacher: Config of a CLIP tower, see :class:`FrozenTower`. None if the batches hold
            precomputed features (``LoadCLIPFeatures``).
        clip: See :class:`LanguageSegmentor`; also the default for the teacher.
        **kwargs: See :class:`LanguageSegmentor`.
    """

    def __init__(self, *, teacher: dict | None, clip: dict | None = None, **kwargs) -> None:
        super().__init__(clip=clip, **kwargs)
        self.teacher = None
        if teacher is not None:
            self.teacher = FrozenTower({**(clip or {}), **teacher})
            self.check_embed_dim(self.teacher, 'teacher')

    def view_batch(self, inputs: dict[str, Tensor], data_samples: list) -> ViewBatch:
        """Computes student and teacher embeddings of the views.

        Args:
            inputs: ``views`` ``(B * V, 3, H, W)``, the views of one image adjacent, and
                ``image`` ``(B, 3, H0, W0)`` or ``clip_features`` ``(B, D, h0, w0)``.
            data_samples: B samples with ``regions`` ``(V, H, W)`` integer and ``matrices``
                ``(V, 2, 3)``.
        """
        views = inputs['views']
        embeddings = self.extract_feat(views)[-1]
        size = embeddings.shape[-2:]
        clip, valid = self.teacher_views(inputs, data_samples, size)
        regions = self.view_regions(data_samples, valid)
        index = torch.arange(len(data_samples), device=views.device)
        return ViewBatch(
            embeddings, clip, regions, index.repeat_interleave(len(views) // len(data_samples))
        )

    @torch.no_grad()
    def teacher_views(
        self, inputs: dict[str, Tensor], data_samples: list, size: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Computes the teacher's dense features of the views.

        Args:
            inputs: See :meth:`view_batch`.
            data_samples: Likewise; ``regions`` are not needed.
            size: (h, w) of the student's grid; None for the teacher's own.

        Returns:
            ``(B * V, D, h, w)`` float32, zero outside the image, and ``(B * V, h, w)`` bool, True
            inside the image.
        """
        matrices = torch.stack([sample.matrices for sample in data_samples])
        features = self.teacher_features(inputs)
        size = tuple(features.shape[-2:]) if size is None else size
        return warp_features(features, matrices.to(features.device), size)

    def view_regions(self, data_samples: list, valid: Tensor) -> Tensor:
        """Returns the regions ``(B * V, h, w)`` int64 of the views, -1 where not ``valid``."""
        regions = torch.cat([sample.regions for sample in data_samples]).to(valid.device)
        # float32 represents every 16-bit region id exactly.
        regions = F.interpolate(
            regions[:, None].float(), size=valid.shape[-2:], mode='nearest-exact'
        )[:, 0]
        return regions.long().masked_fill(~valid, -1)

    @torch.no_grad()
    def teacher_features(self, inputs: dict[str, Tensor]) -> Tensor:
        """Returns unit dense features ``(B, D, h0, w0)`` of the un-augmented images.

        Raises:
            ValueError: If the batch holds neither images for the teacher nor features.
        """
        if 'clip_features' in inputs:
            return F.normalize(inputs['clip_features'].float(), dim=1)
        if self.teacher is None or 'image' not in inputs:
            raise ValueError(
                f'teacher={self.teacher} and a batch of {sorted(inputs)}: give the model a teacher '
                'and the pipeline images (PackViews), or precomputed features (LoadCLIPFeatures).'
            )
        return self.teacher(inputs['image'])
