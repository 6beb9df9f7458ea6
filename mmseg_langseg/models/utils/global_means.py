"""Means over all processes, for the log."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmengine.dist import all_reduce
from torch import Tensor


@torch.no_grad()
def global_means(terms: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Computes means over the terms of all processes; one collective call for all names.

    Args:
        terms: The sum and the number of the terms of this process, scalars, by name. All processes
            give the same names in the same order.

    Returns:
        The means, float32 scalars that are equal on all processes; 0 without any term.
    """
    values = [value.double() for pair in terms.values() for value in pair]
    sums = torch.stack(values).view(-1, 2)
    all_reduce(sums)
    means = (sums[:, 0] / sums[:, 1].clamp_min(1)).float()
    return dict(zip(terms, means, strict=True))
