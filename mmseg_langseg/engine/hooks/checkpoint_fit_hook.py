"""Check that a loaded checkpoint is one of the model."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_langseg.models.utils import check_checkpoint_fits


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Ends a run whose checkpoint does not fit the model; MMEngine loads whatever fits.

    Args:
        path: What the error calls the file.
        whole: See :func:`~mmseg_langseg.models.utils.check_checkpoint_fits`; off to start a
            training from another model's weights.
    """

    def __init__(self, path: str, whole: bool = True) -> None:
        self.path = path
        self.whole = whole

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Checks the checkpoint.

        Raises:
            ValueError: It does not fit.
        """
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        check_checkpoint_fits(model, checkpoint, self.path, self.whole)
