"""QuickGELU, the activation of OpenAI's CLIP, with less memory."""

from __future__ import annotations

import open_clip.transformer
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 1.702


class QuickGELU(nn.Module):
    """Computes ``x * sigmoid(1.702 x)`` as ``silu(1.702 x) / 1.702``.

    open_clip's computes the former, and keeps two tensors for the backward pass instead of one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Activates a tensor of any shape."""
        return F.silu(x * _SLOPE).div_(_SLOPE)


def replace_quick_gelu(module: nn.Module) -> None:
    """Replaces open_clip's QuickGELU in a model, in place."""
    for child in module.modules():
        for name, activation in child.named_children():
            if isinstance(activation, open_clip.transformer.QuickGELU):
                setattr(child, name, QuickGELU())
