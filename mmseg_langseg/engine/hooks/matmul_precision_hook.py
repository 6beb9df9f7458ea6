"""Precision of float32 matrix products on GPUs."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

PRECISIONS = ('highest', 'high', 'medium')


@HOOKS.register_module()
class MatmulPrecisionHook(Hook):
    """Call ``torch.set_float32_matmul_precision`` for a run and restore the precision after it.

    Args:
        precision: ``'high'`` (TF32 on GPUs that have it, as official PixelCLIP), ``'highest'``
            (float32, torch's default) or ``'medium'`` (bfloat16).

    Raises:
        ValueError: ``precision`` is not one of these.
    """

    def __init__(self, precision: str = 'high') -> None:
        if precision not in PRECISIONS:
            raise ValueError(f'precision={precision!r}: expected one of {PRECISIONS}.')
        self.precision = precision
        self._before: str | None = None

    def before_run(self, runner: Runner) -> None:
        """Set the precision."""
        self._before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self.precision)

    def after_run(self, runner: Runner) -> None:
        """Restore the previous precision."""
        if self._before is not None:
            torch.set_float32_matmul_precision(self._before)
