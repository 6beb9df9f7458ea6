"""Pixel-to-segment contrastive loss (CLIP-S⁴)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .covered_pixel_bce_loss import global_mean
from .gather_rows import gather_rows


def pixel_segment_contrast(
    pixels: Tensor,
    segment_of_pixel: Tensor,
    segments: Tensor,
    labels: Tensor,
    kappa: float = 16.0,
    exclude_self: bool = True,
    chunk: int = 2_000_000,
) -> Tensor:
    """Computes the pixel-to-segment contrastive loss, averaged over pixels.

    ``-log(sum over S+ of e^(kappa z·v) / sum over S+ and S- of the same)``, ``L_t`` of CLIP-S⁴
    (CVPR 2023; the formula is known second-hand): the positives S+ of a pixel are the segments of
    its region, in its view and in the other views of its image; the negatives S- are all other
    segments of the batch. The paper leaves open whether the pixel's own segment is a positive and
    gives no kappa. As in SPML and HSG, it is one only if there is no other, and is otherwise
    absent from the denominator too; kappa is HSG's.

    The segments of all processes are negatives and the mean is over the pixels of all processes:
    value and gradient are those of the global batch. A collective call. Without any pixel the loss
    is 0 and its gradients are finite.

    Args:
        pixels: ``(P, D)`` embeddings of the valid pixels; P may be 0.
        segment_of_pixel: ``(P,)`` int64 in [0, S), the segment that each pixel belongs to.
        segments: ``(S, D)`` segment embeddings; they receive gradients.
        labels: ``(S,)`` int64, at least 0: the region of each segment, the same number for the same
            region in all views of an image, and different between images.
        kappa: Concentration, the inverse temperature.
        exclude_self: Exclude a pixel's own segment from its positives; ``False`` is the literal
            reading of the formula.
        chunk: Number of similarities in memory at a time, at least those of one pixel; the backward
            pass recomputes them.

    Returns:
        Scalar float32.
    """
    with torch.autocast(pixels.device.type, enabled=False):
        everyone, start = gather_rows(F.normalize(segments.float(), dim=1))
        # Other processes have other images: none of their segments is a positive here.
        all_labels = labels.new_full((len(everyone),), -1)
        all_labels[start : start + len(labels)] = labels
        own = segment_of_pixel + start
        total = everyone.new_zeros(())
        rows = max(1, chunk // max(1, len(everyone)))
        for part, part_own in zip(pixels.split(rows), own.split(rows), strict=True):
            total = total + checkpoint(
                _summed_contrast,
                part,
                part_own,
                everyone,
                all_labels,
                kappa,
                exclude_self,
                use_reentrant=False,
                preserve_rng_state=False,
            )
        return global_mean(total, total.new_tensor(len(pixels)))


def _summed_contrast(
    pixels: Tensor, own: Tensor, segments: Tensor, labels: Tensor, kappa: float, exclude_self: bool
) -> Tensor:
    """Sums the loss over a chunk of pixels; ``own`` indexes the rows of ``segments``."""
    # Normalized per chunk, since a copy of all pixels would be as large as the features.
    logits = kappa * F.normalize(pixels.float(), dim=1) @ segments.T
    positive = labels[own][:, None] == labels
    counted = torch.ones_like(positive)
    if exclude_self:
        is_own = own[:, None] == torch.arange(len(segments), device=own.device)
        # If it is alone in its region, the own segment is the only positive.
        dropped = is_own & (positive.sum(1, keepdim=True) > 1)
        positive, counted = positive & ~dropped, ~dropped
    below = -torch.inf
    everything = logits.masked_fill(~counted, below).logsumexp(1)
    return (everything - logits.masked_fill(~positive, below).logsumexp(1)).sum()


@MODELS.register_module()
class PixelSegmentContrastLoss(nn.Module):
    """Pixel-to-segment contrastive loss, see :func:`pixel_segment_contrast`.

    Args:
        kappa: Concentration, the inverse temperature.
        exclude_self: Exclude a pixel's own segment from its positives.
        chunk: Number of similarities in memory at a time.
        loss_weight: Factor of the loss.
        loss_name: Name in the log.
    """

    def __init__(
        self,
        kappa: float = 16.0,
        exclude_self: bool = True,
        chunk: int = 2_000_000,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_contrast',
    ) -> None:
        super().__init__()
        if kappa <= 0:
            raise ValueError(f'kappa={kappa}: expected a positive concentration, such as 16.')
        if chunk < 1:
            raise ValueError(f'chunk={chunk}: expected at least 1 similarity, such as 2_000_000.')
        self.kappa = kappa
        self.exclude_self = exclude_self
        self.chunk = chunk
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, pixels: Tensor, segment_of_pixel: Tensor, segments: Tensor, labels: Tensor
    ) -> Tensor:
        """See :func:`pixel_segment_contrast`."""
        return self.loss_weight * pixel_segment_contrast(
            pixels, segment_of_pixel, segments, labels, self.kappa, self.exclude_self, self.chunk
        )
