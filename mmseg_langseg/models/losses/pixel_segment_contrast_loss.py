"""Pixel-to-segment contrastive loss (CLIP-S⁴)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .covered_pixel_bce_loss import global_mean
from .gather_rows import gather_rows


def pixel_segment_contrast(
    pixels: Tensor,
    segment_of_pixel: Tensor,
    segments: Tensor,
    labels: Tensor,
    kappa: float = 16.0,
    exclude_self: bool = True,
    chunk: int = 4_000_000,
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
        chunk: Number of similarities in memory at a time, at least those of one pixel.

    Returns:
        Scalar float32.
    """
    with torch.autocast(pixels.device.type, enabled=False):
        everyone, start = gather_rows(F.normalize(segments.float(), dim=1))
        rows = max(1, chunk // max(1, len(everyone)))
        regions = _Regions.of(labels, start)
        pixels = pixels.float()
        if not torch.is_grad_enabled():
            pixels, everyone = pixels.detach(), everyone.detach()
        total = _SummedContrast.apply(
            pixels, everyone, segment_of_pixel, regions, kappa, exclude_self, rows
        )
        return global_mean(total, total.new_tensor(len(pixels)))


class _Regions(NamedTuple):
    """The segments of each region, among those of all processes.

    Attributes:
        members: ``(S,)`` int64, the segments of this process, region by region.
        first: ``(S,)`` int64, where the region of each segment begins in ``members``.
        size: ``(S,)`` int64, the number of segments of that region.
        largest: The largest number of segments of a region.
        start: The index of this process's first segment among those of all processes.
    """

    members: Tensor
    first: Tensor
    size: Tensor
    largest: int
    start: int

    @classmethod
    def of(cls, labels: Tensor, start: int) -> _Regions:
        """Groups segments by their labels ``(S,)``."""
        _, region, size = labels.unique(return_inverse=True, return_counts=True)
        first = size.cumsum(0) - size
        largest = int(size.max()) if len(size) else 0
        return cls(region.argsort() + start, first[region], size[region], largest, start)

    def of_pixels(self, own: Tensor, exclude_self: bool) -> tuple[Tensor, Tensor]:
        """Lists all segments of the regions of pixels, and which of them are positives.

        Args:
            own: ``(P,)`` int64, the segment of each pixel among those of this process.
            exclude_self: Exclude the own segment, unless it is alone in its region.

        Returns:
            ``(P, largest)`` int64 among the segments of all processes, the last one of a region
            repeated, and ``(P, largest)`` bool, False for the repetitions.
        """
        place = torch.arange(self.largest, device=own.device)
        size = self.size[own][:, None]
        members = self.members[self.first[own][:, None] + place.minimum(size - 1)]
        positive = place < size
        if exclude_self:
            positive &= (members != own[:, None] + self.start) | (size == 1)
        return members, positive


class _SummedContrast(torch.autograd.Function):
    """Sums the loss over pixels and computes the gradients in the same pass over the similarities.

    What follows can only scale the gradients of a sum. They need three matrix products per chunk
    of pixels, and no similarity is kept or recomputed.
    """

    @staticmethod
    def forward(
        ctx,
        pixels: Tensor,
        segments: Tensor,
        own: Tensor,
        regions: _Regions,
        kappa: float,
        exclude_self: bool,
        rows: int,
    ) -> Tensor:
        """Returns the sum for pixels ``(P, D)``, unit segments ``(S, D)``, chunks of ``rows``."""
        pixel_grad, segment_grad = (
            torch.zeros_like(x) if needed else None
            for x, needed in zip((pixels, segments), ctx.needs_input_grad, strict=False)
        )
        total = pixels.new_zeros(())
        # Rows that start at multiples of 64 bytes: the products are up to 1.5 times as fast.
        width = -(-len(segments) // 16) * 16
        buffer = pixels.new_empty(min(rows, len(pixels)), width)[:, : len(segments)]
        for begin in range(0, len(pixels), rows):
            part = slice(begin, begin + rows)
            # Normalized per chunk, since a copy of all pixels would be as large as the features.
            norm = pixels[part].norm(dim=1, keepdim=True).clamp_min(1e-12)
            unit = pixels[part] / norm
            logits = torch.mm(kappa * unit, segments.T, out=buffer[: len(unit)])
            members, positive = regions.of_pixels(own[part], exclude_self)
            loss, grad, scale = _contrast(logits, members, positive, kappa)
            total += loss.sum()
            if pixel_grad is not None:
                part_grad = torch.mm(grad, segments, out=pixel_grad[part]).mul_(scale)
                along = (part_grad[:, None] @ unit[:, :, None])[:, 0]
                part_grad.addcmul_(unit, along, value=-1).div_(norm)
            if segment_grad is not None:
                segment_grad.addmm_(grad.T, unit.mul_(scale))
        ctx.save_for_backward(pixel_grad, segment_grad)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Scales the gradients."""
        scaled = [None if x is None else x * grad for x in ctx.saved_tensors]
        return (*scaled, None, None, None, None, None)


def _contrast(
    logits: Tensor, members: Tensor, positive: Tensor, kappa: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the loss of each pixel and its gradient with respect to the similarities.

    Args:
        logits: ``(P, S)``, kappa times the similarities; overwritten by the gradient.
        members: ``(P, n)`` int64, the segments of the pixel's region; repetitions are allowed.
        positive: ``(P, n)`` bool, which of them are positives, none twice.
        kappa: Concentration.

    Returns:
        The loss ``(P, 1)``, ``(P, S)`` in the memory of ``logits``, and ``(P, 1)``; the gradient is
        the product of the last two.
    """
    positives = logits.gather(1, members).masked_fill_(~positive, -torch.inf)
    log_positives = positives.logsumexp(1, keepdim=True)
    logits.scatter_(1, members, -torch.inf)
    # Without any negative the maximum is -inf; no logit is below -kappa.
    top = logits.amax(1, keepdim=True).clamp_min_(-2 * kappa)
    terms = logits.sub_(top).exp_()
    negatives = terms.sum(1, keepdim=True)
    # Loss: log((positives + negatives) / positives), exactly 0 without negatives.
    ratio = negatives.log().add_(top).sub_(log_positives)
    terms.scatter_add_(1, members, (positives - log_positives).exp_().mul_(-negatives))
    # With negatives their sum is at least 1, the term of the largest.
    return F.softplus(ratio), terms, kappa * ratio.sigmoid() / negatives.clamp_min(1)


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
        chunk: int = 4_000_000,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_contrast',
    ) -> None:
        super().__init__()
        if kappa <= 0:
            raise ValueError(f'kappa={kappa}: expected a positive concentration, such as 16.')
        if chunk < 1:
            raise ValueError(f'chunk={chunk}: expected at least 1 similarity, such as 4_000_000.')
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
