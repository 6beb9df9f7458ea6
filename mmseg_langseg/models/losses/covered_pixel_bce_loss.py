"""Binary cross entropy loss over the pixels that are covered by a mask."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from mmseg.registry import MODELS
from torch import Tensor, nn


def covered_pixel_bce(logits: Tensor, targets: Tensor, covered: Tensor) -> Tensor:
    """Computes mean binary cross entropy over covered pixels and classes of the global batch.

    ``L_mask`` of PixelCLIP (Sec. 3.2); only the official code says that uncovered pixels are
    ignored. The mean is over the covered pixels of *all* processes: each process gets the value of
    the global batch, and gradients averaged over processes (as by DDP) are those of the global
    batch. Without any covered pixel the loss is 0 and its gradients are finite.

    Args:
        logits: ``(B, K, H, W)``.
        targets: ``(B, K, H, W)`` in [0, 1].
        covered: ``(B, H, W)`` bool.

    Returns:
        Scalar float32.
    """
    total = summed_bce(logits, targets, covered[:, None].expand_as(logits))
    return global_mean(total, covered.sum() * logits.shape[1])


def summed_bce(logits: Tensor, targets: Tensor, covered: Tensor) -> Tensor:
    """Sums binary cross entropy over covered elements.

    Args:
        logits: Of any shape.
        targets: Of the same shape, in [0, 1].
        covered: Of the same shape, bool.

    Returns:
        Scalar float32.
    """
    return F.binary_cross_entropy_with_logits(
        logits.float(), targets.float(), covered.float(), reduction='sum'
    )


def global_mean(total: Tensor, count: Tensor) -> Tensor:
    """Computes a mean over all processes, with the gradient of the local terms.

    Args:
        total: Scalar sum of this process, with gradient.
        count: Scalar number of terms of this process.

    Returns:
        The global mean, a scalar equal on all processes; its gradient, averaged over processes, is
        the gradient of the global mean.
    """
    sums = torch.stack([total.detach().double(), count.double()])
    all_reduce(sums)
    terms = sums[1].clamp_min(1)
    local = total * (get_world_size() / terms).to(total.dtype)
    return local + ((sums[0] / terms).to(total.dtype) - local.detach())


@MODELS.register_module()
class CoveredPixelBCELoss(nn.Module):
    """Binary cross entropy loss over covered pixels, see :func:`covered_pixel_bce`.

    Args:
        loss_weight: Factor of the loss.
        loss_name: Name in the log.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_mask') -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self, logits: Tensor, targets: Tensor, covered: Tensor) -> Tensor:
        """See :func:`covered_pixel_bce`."""
        return self.loss_weight * covered_pixel_bce(logits, targets, covered)

    def total(self, logits: Tensor, targets: Tensor, covered: Tensor) -> Tensor:
        """Sums the loss of a part of the batch, see :func:`summed_bce`."""
        return summed_bce(logits, targets, covered)

    def mean(self, total: Tensor, count: Tensor) -> Tensor:
        """Computes the loss from the sum of all parts and the number of terms in it.

        Args:
            total: Scalar.
            count: Scalar.
        """
        return self.loss_weight * global_mean(total, count)
