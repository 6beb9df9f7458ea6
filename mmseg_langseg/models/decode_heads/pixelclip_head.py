"""PixelCLIP decode head: mask pooling, clustering, per-cluster targets and the mask loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_langseg.models.utils import cosine_map, mask_pool

from .language_head import LanguageHead
from .mask_decoder import MaskDecoder


@MODELS.register_module()
class PixelCLIPHead(LanguageHead):
    """Clusters unlabeled masks into per-cluster targets and computes the student's mask loss.

    At test time it is a plain :class:`LanguageHead`; prompts, clusterer and decoder are not used.

    Args:
        prompts: Config of the centers that masks are assigned to: ``ClassPrompts`` (the method),
            ``FreeCentroids`` (ablation without the text encoder) or ``FixedNames`` (ablation).
            None together with ``clusterer=None``.
        clusterer: Config of ``SinkhornClusterer`` or ``ArgmaxClusterer`` (ablation). None trains
            every mask as its own class with the student's pooled feature as its embedding (Eq. 2,
            the paper's "without semantic clustering").
        decoder_channels: Widths of :class:`MaskDecoder`.
        loss_mask: Config of the loss.
        **kwargs: See :class:`LanguageHead`.

    Raises:
        ValueError: If only one of ``prompts`` and ``clusterer`` is None.
    """

    def __init__(
        self,
        prompts: dict | None,
        clusterer: dict | None,
        decoder_channels: tuple[int, int] = (64, 32),
        loss_mask: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if (prompts is None) != (clusterer is None):
            raise ValueError(
                f'prompts={prompts} and clusterer={clusterer}: give both, or neither to train '
                'without clustering.'
            )
        self.prompts = self.clusterer = None
        if prompts is not None:
            self.prompts = MODELS.build(dict(prompts, text_encoder=self.text_encoder))
            self.clusterer = MODELS.build(dict(clusterer, num_clusters=self.prompts.num_clusters))
        self.mask_decoder = MaskDecoder(tuple(decoder_channels))
        self.loss_mask = MODELS.build(loss_mask or dict(type='CoveredPixelBCELoss'))
        self.last_assignment: Tensor | None = None

    def loss(
        self, student: Tensor, teacher: Tensor, masks: Tensor, image_index: Tensor
    ) -> dict[str, Tensor]:
        """Computes the training loss of a batch.

        Args:
            student: Dense features of the strong view ``(B, D, h, w)``, with gradient.
            teacher: Dense features of the weak view ``(B, D, h, w)``, without gradient.
            masks: Masks of all images ``(N, H, W)`` bool; N may be 0.
            image_index: ``(N,)`` int64, the image of each mask.

        Returns:
            The loss, under the name defined by the loss module.
        """
        # Masks of one pixel are dropped, as in the official code.
        keep = masks.flatten(1).sum(1) > 1
        masks, image_index = masks[keep], image_index[keep]
        if self.clusterer is None:
            maps, targets, covered = self._every_mask_a_class(student, masks, image_index)
        else:
            maps, targets, covered = self._clusters(student, teacher, masks, image_index)
        logits = self.mask_decoder(maps).float()
        logits = F.interpolate(logits, size=masks.shape[-2:], mode='bilinear', align_corners=False)
        return {self.loss_mask.loss_name: self.loss_mask(logits, targets, covered)}

    def _clusters(
        self, student: Tensor, teacher: Tensor, masks: Tensor, image_index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        embeddings = self.prompts(self.text_encoder)
        with torch.no_grad():
            pooled = mask_pool(teacher, masks, image_index)
            ids = self.clusterer.assign(pooled, embeddings)
        self.last_assignment = ids
        targets = cluster_targets(
            masks, ids, image_index, len(student), self.clusterer.num_clusters
        )
        return cosine_map(student, embeddings), targets, targets.amax(1) > 0

    def _every_mask_a_class(
        self, student: Tensor, masks: Tensor, image_index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        # Eq. (2): each map compares the student with one of its own pooled masks.
        pooled = F.normalize(mask_pool(student, masks, image_index), dim=1)
        pixels = F.normalize(student.float(), dim=1)[image_index]
        with torch.autocast(pixels.device.type, enabled=False):
            maps = torch.einsum('nd,ndhw->nhw', pooled, pixels)[:, None]
        if not len(masks):
            # No masks, yet every parameter must take part, or the other ranks would hang.
            maps = student.float().mean(1, keepdim=True)
            targets = masks.new_zeros((len(student), 1, *masks.shape[-2:]), dtype=torch.float32)
            return maps, targets, targets[:, 0] > 0
        union = cluster_targets(masks, torch.zeros_like(image_index), image_index, len(student), 1)
        return maps, masks[:, None].float(), union[:, 0][image_index] > 0

    @torch.no_grad()
    def pooled_masks(self, teacher: Tensor, masks: Tensor, image_index: Tensor) -> Tensor:
        """Pools teacher features ``(M, D)`` over the masks with more than one pixel."""
        keep = masks.flatten(1).sum(1) > 1
        return mask_pool(teacher, masks[keep], image_index[keep])


def cluster_targets(
    masks: Tensor, ids: Tensor, image_index: Tensor, num_images: int, num_clusters: int
) -> Tensor:
    """Computes the union of each image's masks per cluster (targets of PixelCLIP, Sec. 3.2).

    Args:
        masks: ``(N, H, W)`` bool.
        ids: Cluster of each mask ``(N,)`` int64.
        image_index: Image of each mask ``(N,)`` int64.
        num_images: B.
        num_clusters: K.

    Returns:
        ``(B, K, H, W)`` float32 in {0, 1}; where masks overlap, a pixel may have several clusters.
    """
    height, width = masks.shape[-2:]
    targets = torch.zeros(num_images * num_clusters, height, width, device=masks.device)
    targets.index_add_(0, image_index * num_clusters + ids, masks.float())
    return targets.clamp_(max=1).unflatten(0, (num_images, num_clusters))
