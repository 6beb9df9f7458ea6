"""Cosine similarity maps in float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_map(features: Tensor, embeddings: Tensor) -> Tensor:
    """Computes cosine similarity maps, ``M = cos(f_I(x, y), f_C(i))`` (PixelCLIP Eq. 5).

    Args:
        features: ``(B, D, h, w)``.
        embeddings: ``(K, D)``.

    Returns:
        ``(B, K, h, w)`` float32 in [-1, 1], also under autocast.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = F.normalize(features.float(), dim=1)
        return F.conv2d(features, F.normalize(embeddings.float(), dim=1)[:, :, None, None])
