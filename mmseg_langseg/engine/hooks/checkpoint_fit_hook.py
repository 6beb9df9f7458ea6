"""Reject checkpoints that do not fit the model, and store what later ones must fit."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_langseg.engine.checkpoint_fit import check_checkpoint_fit
from mmseg_langseg.engine.image_text_model import (
    KEY,
    check_image_text_model,
    describe_image_text_model,
)
from mmseg_langseg.engine.pretrained_fit import PretrainedWatch


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Hook that stops a run whose checkpoint would leave the model untrained.

    MMEngine loads the tensors that fit and logs the others, even if none fits. With this hook,
    tests and resumed trainings need all trained tensors of the model. ``load_from`` of a training,
    which may come from another task, needs at least one, and so does each ``init_cfg`` of type
    ``Pretrained``. Checkpoints name the image-text model that they were trained from; tests and
    resumed trainings with another one are refused.
    """

    _watch: PretrainedWatch | None = None
    _description: dict | None = None

    def before_run(self, runner: Runner) -> None:
        """Watch the weight initialization of a training, which follows; tests have none.

        Args:
            runner: Runner.

        Raises:
            ValueError: An ``init_cfg`` names a ``prefix`` that its file does not have.
        """
        if _trains(runner):
            self._watch = PretrainedWatch(runner.model)

    def before_train(self, runner: Runner) -> None:
        """Check the initialization.

        Raises:
            ValueError: Nothing of a file named by an ``init_cfg`` was loaded.
        """
        self._end_watch()

    def after_load_checkpoint(self, runner: Runner, checkpoint: Any) -> None:
        """Check a checkpoint before it is loaded into the model.

        Args:
            runner: Runner; its ``cfg`` defines whether the run resumes.
            checkpoint: Content of the file.

        Raises:
            ValueError: The checkpoint does not fit or was trained from another image-text model, or
                one named by an ``init_cfg`` did not fit.
        """
        # The checkpoint is loaded into the watched modules, too.
        self._end_watch()
        source = str(runner.cfg.get('load_from') or 'the checkpoint')
        training = _trains(runner)
        resume = training and runner.cfg.get('resume', False)
        fitting, total = check_checkpoint_fit(
            runner.model, checkpoint, source, trained=resume or not training
        )
        if resume or not training:
            check_image_text_model(runner.model, checkpoint, source)
        if fitting < total:
            runner.logger.info(
                f"{fitting} of the {total} tensors of '{source}' fit and are loaded."
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store which image-text model the training started from.

        Args:
            runner: Runner.
            checkpoint: Content of the file to be written.
        """
        if self._description is None:
            self._description = describe_image_text_model(runner.model)
        if self._description is not None:
            checkpoint['meta'][KEY] = self._description

    def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.check()


def _trains(runner: Runner) -> bool:
    return isinstance(runner.optim_wrapper, (OptimWrapper, OptimWrapperDict))
