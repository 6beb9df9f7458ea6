"""Differentiable all-gather of rows, whose number may differ between processes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, all_reduce, get_rank, get_world_size
from torch import Tensor


def gather_rows(rows: Tensor) -> tuple[Tensor, int]:
    """Concatenates the rows of all processes (differentiable all-gather).

    A collective call, forward and backward. A row also receives gradients from the losses of
    *other* processes, so that gradients averaged over processes are those of the global batch.

    Args:
        rows: ``(S, D)`` float32; S may differ between processes and may be 0.

    Returns:
        ``(sum of S, D)`` in the order of the processes, and the index of this process's first row.
    """
    if get_world_size() == 1:
        return rows, 0
    counts = torch.cat(all_gather(torch.tensor([len(rows)], device=rows.device))).tolist()
    padded = F.pad(rows, (0, 0, 0, max(*counts, 1) - len(rows)))
    gathered = _Gather.apply(padded)
    parts = [part[:count] for part, count in zip(gathered, counts, strict=True)]
    return torch.cat(parts), sum(counts[: get_rank()])


class _Gather(torch.autograd.Function):
    """``(S, D)`` of each process to ``(processes, S, D)`` on every process."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        """Stacks the tensors of all processes."""
        return torch.stack(all_gather(rows))

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        """Sums the gradients of all processes and returns those of this process's rows."""
        grad = grad.clone(memory_format=torch.contiguous_format)
        all_reduce(grad)
        return grad[get_rank()]
