"""Reject checkpoints that do not fit the model."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_langseg.engine.checkpoint_fit import check_checkpoint_fit


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Hook that stops a run whose checkpoint would leave the model untrained.

    MMEngine loads the tensors that fit and logs the others, even if none fits. With this hook,
    tests and resumed trainings need all trained tensors of the model, and ``load_from`` of a
    training, which may come from another task, needs at least one.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: Any) -> None:
        """Check a checkpoint before it is loaded into the model.

        Args:
            runner: Runner; its ``cfg`` defines whether the run resumes.
            checkpoint: Content of the file.

        Raises:
            ValueError: The checkpoint does not fit.
        """
        source = str(runner.cfg.get('load_from') or 'the checkpoint')
        training = isinstance(runner.optim_wrapper, (OptimWrapper, OptimWrapperDict))
        resume = training and runner.cfg.get('resume', False)
        fitting, total = check_checkpoint_fit(
            runner.model, checkpoint, source, trained=resume or not training
        )
        if fitting < total:
            runner.logger.info(
                f"{fitting} of the {total} tensors of '{source}' fit and are loaded."
            )
