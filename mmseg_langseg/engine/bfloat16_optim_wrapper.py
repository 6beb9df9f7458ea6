"""Optimizer wrapper for mixed precision with bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` that computes losses under autocast to bfloat16, on CPUs and GPUs.

    MMEngine's ``AmpOptimWrapper`` needs a GPU. bfloat16 has the range of float32, so the loss is
    not scaled and no step is skipped; weights, gradients and optimizer state are float32.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass: autocast, and gradient accumulation as in MMEngine.

        Args:
            model: The model, whose device decides the kind of autocast.
        """
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield
