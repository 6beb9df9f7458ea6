"""Stop a training at losses or weights that are NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from .unwrap import unwrap_model


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop at the first loss that is NaN or infinite, and never save values that are not finite.

    Every iteration is checked, on every process: a process that stops ends the whole launch
    (``torchrun``; Slurm with ``--kill-on-bad-exit``). This adds no device synchronization, as
    MMEngine's ``RuntimeInfoHook`` reads each loss at each iteration already. Before a checkpoint is
    written, its weights and optimizer state are checked as well: the step after the last finite
    loss, or another process of the training, may have corrupted them.

    Gradients are not checked: the loss scaler of mixed precision regularly skips steps with
    infinite ones.
    """

    # Before the hooks that use or save what the iteration changed.
    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.last = 'no iteration has been run'

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, torch.Tensor] | None = None,
    ) -> None:
        """Check the losses of the iteration.

        Raises:
            FloatingPointError: A loss is NaN or infinite; the message names it and the batch files.
        """
        losses = {
            key: torch.as_tensor(value).item()
            for key, value in (outputs or {}).items()
            if 'loss' in key
        }
        files = ', '.join(batch_files(data_batch)) or 'without file names'
        values = ', '.join(f'{key} = {value:.6g}' for key, value in losses.items())
        self.last = f'{values}; batch: {files}'
        if not all(math.isfinite(value) for value in losses.values()):
            raise FloatingPointError(
                f'Iteration {runner.iter + 1}: a loss is not finite ({self.last}). The training '
                'stops, and nothing of this iteration is saved. If the same files are named when '
                'it is repeated or resumed, check them; else lower the learning rate.'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the checkpoint before it is saved.

        Parameters and optimizer state must be finite. Buffers may hold infinities, such as
        attention masks, but no NaN.

        Raises:
            FloatingPointError: Some values are not finite; nothing has been written.
        """
        model = unwrap_model(runner.model, 'named_parameters', type(self).__name__)
        parameters = {name for name, _ in model.named_parameters()}
        bad = [
            name
            for name, value in checkpoint['state_dict'].items()
            if _is_bad(value, infinite=name in parameters)
        ]
        state = checkpoint.get('optimizer', {})
        bad += [name for name, value in _tensors(state, 'optimizer') if _is_bad(value)]
        if bad:
            raise FloatingPointError(
                f'Iteration {checkpoint["meta"]["iter"]}: {len(bad)} weights or optimizer states '
                f'are not finite, e.g. {bad[0]!r}. The training stops, and the checkpoint is not '
                f'written; earlier ones are kept. Last iteration: {self.last}. Lower the learning '
                'rate, or resume from an earlier checkpoint with other settings.'
            )


def batch_files(data_batch: Any) -> list[str]:
    """Return the image files of a collated batch and its files of CLIP features, if any."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    files = []
    for sample in samples or []:
        metainfo = getattr(sample, 'metainfo', {})
        files += [str(metainfo[key]) for key in ('img_path', 'feature_path') if metainfo.get(key)]
    return files


def _tensors(tree: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of nested dicts and lists, with their dotted names."""
    if isinstance(tree, torch.Tensor):
        yield name, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _tensors(value, f'{name}.{key}')
    elif isinstance(tree, (list, tuple)):
        for number, value in enumerate(tree):
            yield from _tensors(value, f'{name}.{number}')


def _is_bad(value: Any, infinite: bool = True) -> bool:
    """Whether a tensor has a NaN or, if ``infinite``, an infinity."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return False
    good = torch.isfinite(value) if infinite else ~torch.isnan(value)
    return not bool(good.all())
