"""Refuse checkpoints that do not fit the model."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_langseg.engine.checkpoint_fit import check_checkpoint_fit

_TRAINING_STATE = ('meta', 'message_hub', 'optimizer')


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Hook that stops a run whose checkpoint would leave the model untrained.

    MMEngine loads what fits and logs the rest, even if nothing fits. Here, tests and resumed
    trainings need all tensors that the model trains, and ``load_from`` of a training, which may
    come from another task, needs one.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: Any) -> None:
        """Check a checkpoint that was read, before it is loaded into the model.

        Args:
            runner: Its ``cfg`` says whether the run resumes.
            checkpoint: What the file holds.

        Raises:
            ValueError: The checkpoint does not fit, or it cannot be resumed from.
        """
        source = str(runner.cfg.get('load_from') or 'the checkpoint')
        training = isinstance(runner.optim_wrapper, (OptimWrapper, OptimWrapperDict))
        resume = training and runner.cfg.get('resume', False)
        fitting, total = check_checkpoint_fit(
            runner.model, checkpoint, source, trained=resume or not training
        )
        if resume:
            check_resumable(checkpoint, source)
        if fitting < total:
            runner.logger.info(
                f"{fitting} of the {total} tensors of '{source}' fit and are loaded."
            )


def check_resumable(checkpoint: Any, source: str) -> None:
    """Check that a checkpoint holds the state of a training.

    Raises:
        ValueError: It holds weights only.
    """
    lacks = [k for k in _TRAINING_STATE if not isinstance(checkpoint, dict) or k not in checkpoint]
    if not lacks and not {'epoch', 'iter'} <= set(checkpoint['meta']):
        lacks = ["'epoch' and 'iter' in meta"]
    if lacks:
        raise ValueError(
            f"'{source}' cannot be resumed from: it lacks {', '.join(lacks)}, so it holds weights "
            'and not the state of a training. To start a new training from these weights, use '
            f'--cfg-options load_from={source}'
        )
