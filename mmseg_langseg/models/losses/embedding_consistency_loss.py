"""Embedding consistency loss: cosine distance to CLIP's segment embeddings (CLIP-S⁴)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from .covered_pixel_bce_loss import global_mean


def embedding_consistency(segments: Tensor, clip_segments: Tensor) -> Tensor:
    """Computes the mean of ``1 - cos(v_s, u_s)`` over the segments of the global batch.

    ``L_e`` of CLIP-S⁴ (CVPR 2023, its embedding consistency). All we know of it is that the loss
    is similarity-based and compares segments, since CLIP's pixels are noisy; ours is the simplest
    such expression (half the squared distance of unit vectors), with equal weights.

    The mean is over the segments of *all* processes, see :func:`global_mean`. Without any segment
    the loss is 0 and its gradients are finite.

    Args:
        segments: ``(S, D)`` our segment embeddings v; S may be 0.
        clip_segments: ``(S, D)`` CLIP's embeddings u of the same segments, without gradient. Rows
            of zeros (segments outside the image that CLIP saw) are ignored.

    Returns:
        Scalar float32.
    """
    target = F.normalize(clip_segments.detach().float(), dim=1)
    counted = target.any(1)
    with torch.autocast(segments.device.type, enabled=False):
        cosine = (F.normalize(segments.float(), dim=1) * target).sum(1)
        return global_mean((1 - cosine)[counted].sum(), counted.sum())


@MODELS.register_module()
class EmbeddingConsistencyLoss(nn.Module):
    """Embedding consistency loss of CLIP-S⁴, see :func:`embedding_consistency`.

    Args:
        loss_weight: Factor of the loss.
        loss_name: Name in the log.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_embedding') -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self, segments: Tensor, clip_segments: Tensor) -> Tensor:
        """See :func:`embedding_consistency`."""
        return self.loss_weight * embedding_consistency(segments, clip_segments)
