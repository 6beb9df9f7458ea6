"""PixelCLIP decode head: mask pooling, clustering, per-cluster targets and the mask loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_langseg.models.losses import sum_in_parts
from mmseg_langseg.models.utils import cosine_map, mask_pool
from mmseg_langseg.models.utils.mask_pooling import PART

from .language_head import LanguageHead
from .mask_decoder import MaskDecoder

# Cells of maps that are decoded at a time. On a CPU few, so that they stay in its cache: 256 maps
# of 20x20 take half the time of all at once. Other devices need more work at a time.
_CELLS = {'cpu': 6400}
_CELLS_ON_DEVICE = 102400


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
        loss_mask: Config of the loss: ``CoveredPixelBCELoss``, or one with its methods.
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
        covered = union_of_masks(masks, image_index, len(student)) > 0
        if self.clusterer is None:
            maps = self._maps_of_masks(student, masks, image_index)
            rows, images = torch.arange(len(masks), device=masks.device), image_index
        else:
            maps, ids = self._maps_of_clusters(student, teacher, masks, image_index)
            clusters = self.clusterer.num_clusters
            rows = image_index * clusters + ids
            images = torch.arange(len(maps), device=maps.device) // clusters
        return {self.loss_mask.loss_name: self._decoded_loss(maps, images, masks, rows, covered)}

    def _maps_of_clusters(
        self, student: Tensor, teacher: Tensor, masks: Tensor, image_index: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns maps ``(B * K, h, w)`` of each image and cluster, and clusters ``(N,)``."""
        embeddings = self.prompts(self.text_encoder)
        with torch.no_grad():
            pooled = mask_pool(teacher, masks, image_index)
            ids = self.clusterer.assign(pooled, embeddings)
        self.last_assignment = ids
        return cosine_map(student, embeddings).flatten(0, 1), ids

    def _maps_of_masks(self, student: Tensor, masks: Tensor, image_index: Tensor) -> Tensor:
        """Returns a map ``(N, h, w)`` for each mask: the student and its own pooled mask, Eq. (2).

        Without masks there is no map, yet all parameters get a gradient.
        """
        pooled = F.normalize(mask_pool(student, masks, image_index), dim=1)
        pixels = F.normalize(student.float(), dim=1)[image_index]
        with torch.autocast(pixels.device.type, enabled=False):
            return torch.einsum('nd,ndhw->nhw', pooled, pixels)

    def _decoded_loss(
        self, maps: Tensor, images: Tensor, masks: Tensor, rows: Tensor, covered: Tensor
    ) -> Tensor:
        """Computes the loss of decoded maps, a few maps at a time.

        Args:
            maps: ``(R, h, w)``.
            images: ``(R,)`` int64, the image of each map.
            masks: ``(N, H, W)`` bool.
            rows: ``(N,)`` int64, the map that each mask belongs to.
            covered: ``(B, H, W)`` bool.
        """
        cells = _CELLS.get(maps.device.type, _CELLS_ON_DEVICE)
        size = max(1, cells // maps.shape[1:].numel())
        rows, order = rows.sort()
        masks = masks[order]
        first = torch.arange(0, len(maps) + size, size, device=rows.device)
        first = torch.searchsorted(rows, first).tolist()
        kernels = self.mask_decoder.kernels(*maps.shape[-2:])

        def part_loss(some: Tensor, part: slice) -> Tensor:
            logits = self.mask_decoder(some[:, None], kernels).float()
            logits = F.interpolate(logits, masks.shape[-2:], mode='bilinear', align_corners=False)
            own = slice(*first[part.start // size :][:2])
            targets = union_of_masks(masks[own], rows[own] - part.start, len(some))
            return self.loss_mask.total(logits[:, 0], targets, covered[images[part]])

        parameters = [*kernels, *self.mask_decoder.other_parameters()]
        total = sum_in_parts(part_loss, maps, parameters, size)
        return self.loss_mask.mean(total, covered.flatten(1).sum(1)[images].sum())

    @torch.no_grad()
    def pooled_masks(self, teacher: Tensor, masks: Tensor, image_index: Tensor) -> Tensor:
        """Pools teacher features ``(M, D)`` over the masks with more than one pixel."""
        keep = masks.flatten(1).sum(1) > 1
        return mask_pool(teacher, masks[keep], image_index[keep])


def union_of_masks(masks: Tensor, rows: Tensor, count: int) -> Tensor:
    """Computes unions of masks, such as those of an image's masks in each cluster.

    The targets of PixelCLIP (Sec. 3.2): where masks overlap, a pixel may have several clusters.

    Args:
        masks: ``(N, H, W)`` bool.
        rows: ``(N,)`` int64 below ``count``, the union that each mask is part of.
        count: Number of unions.

    Returns:
        ``(count, H, W)`` float32 in {0, 1}.
    """
    union = torch.zeros(count, *masks.shape[-2:], device=masks.device)
    # In parts: all masks in float32 would take four times their memory.
    for some, place in zip(masks.split(PART), rows.split(PART), strict=True):
        union.index_add_(0, place, some.float())
    return union.clamp_(max=1)
