"""Sum of a loss over parts of a batch, whose activations are never in memory together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint


def sum_in_parts(
    function: Callable[[Tensor, slice], Tensor],
    rows: Tensor,
    parameters: Sequence[Tensor],
    size: int,
) -> Tensor:
    """Sums a function over parts of the rows, with its gradients.

    The gradients of a part are computed right after its value: the activations of one part are in
    memory at a time, and nothing is computed twice. Under autocast to float16, whose gradients
    need the scale of the loss, activations are computed again in the backward pass instead.

    Args:
        function: Maps some rows, and the slice that they are, to a scalar.
        rows: ``(R, ...)``; R may be 0.
        parameters: All other tensors that need a gradient and that the function depends on.
        size: Number of rows of a part.

    Returns:
        Scalar, differentiable once with respect to ``rows`` and ``parameters``.
    """
    if len(rows) and (not torch.is_grad_enabled() or _computes_in_half(rows)):
        total = rows.new_zeros(())
        for part in _parts(len(rows), size):
            total = total + checkpoint(function, rows[part], part, use_reentrant=False)
        return total
    return _SumInParts.apply(function, size, rows, *parameters)


class _SumInParts(torch.autograd.Function):
    @staticmethod
    def forward(ctx, function: Callable, size: int, rows: Tensor, *parameters: Tensor) -> Tensor:
        """Computes the sum and, at once, its gradients."""
        total = rows.new_zeros(())
        needed = ctx.needs_input_grad[2:]
        gradients = [torch.zeros_like(tensor) for tensor in (rows, *parameters)]
        for part in _parts(len(rows), size):
            some = rows[part].detach().requires_grad_(needed[0])
            inputs = [some, *parameters]
            with torch.enable_grad():
                value = function(some, part)
            found = torch.autograd.grad(
                value, [tensor for tensor, need in zip(inputs, needed, strict=True) if need]
            )
            total += value.detach()
            targets = [gradients[0][part], *gradients[1:]]
            targets = [target for target, need in zip(targets, needed, strict=True) if need]
            for target, gradient in zip(targets, found, strict=True):
                target += gradient
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Scales the gradients."""
        return None, None, *(grad.to(saved.dtype) * saved for saved in ctx.saved_tensors)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _computes_in_half(rows: Tensor) -> bool:
    """Returns whether autocast to float16 is on."""
    one = rows.new_ones(1, 1)
    return (one @ one).dtype == torch.float16
