"""Distributed Sinkhorn-Knopp iterations for balanced cluster assignment."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor


@torch.no_grad()
def sinkhorn(logits: Tensor, iterations: int = 3) -> Tensor:
    """Compute the entropic optimal transport of samples onto clusters of equal mass (Sinkhorn).

    PixelCLIP Eqs. (3) and (4): ``Q = diag(u) exp(F_M^T f_C / eps) diag(v)``. As in the official
    code, iterations start from the softmax of each row. Processes only exchange cluster sums (K
    floats), and the result equals that of one process on the concatenated batch.

    Args:
        logits: ``(M, K)`` similarities divided by the temperature; M may differ between processes
            and may be 0.
        iterations: Number of column and row normalizations.

    Returns:
        Soft assignments ``(M, K)`` float32; every row sums to 1.
    """
    tiny = torch.finfo(torch.float32).tiny
    plan = logits.float().softmax(dim=1)
    total = plan.sum()
    all_reduce(total)
    plan = plan / total.clamp_min(tiny)
    for _ in range(iterations):
        cluster_mass = plan.sum(0)
        all_reduce(cluster_mass)
        plan = plan / cluster_mass.clamp_min(tiny)
        plan = plan / plan.sum(1, keepdim=True).clamp_min(tiny)
    return plan
