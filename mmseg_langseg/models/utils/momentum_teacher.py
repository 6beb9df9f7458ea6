"""Momentum (EMA) teacher."""

from __future__ import annotations

import torch
from mmengine.model import BaseAveragedModel
from torch import Tensor, nn


class MomentumTeacher(BaseAveragedModel):
    """Momentum (EMA) copy of a tower: ``t <- gamma t + (1 - gamma) s`` (PixelCLIP, Sec. 3.3).

    An update without a change of the student since the last one does nothing, so that with gradient
    accumulation the teacher moves once per optimizer step.

    A checkpoint without a teacher, such as a converted official one, is accepted: the next update
    then copies the tower.

    MMEngine's ``ExponentialMovingAverage`` uses another order of operations and so rounds
    differently from the official code. Equal parameters stay exactly equal, so frozen parts of
    the teacher can be rebuilt from public weights.

    Args:
        tower: The student module. The first update copies it, later ones average.
        momentum: ``gamma``, in [0, 1]; 1 keeps the teacher unchanged.

    Raises:
        ValueError: If ``momentum`` is out of range.
    """

    def __init__(self, tower: nn.Module, momentum: float = 0.999) -> None:
        if not 0 <= momentum <= 1:
            raise ValueError(f'momentum={momentum}: expected a number from 0 to 1.')
        super().__init__(tower)
        self.momentum = momentum
        self._seen: list[int] | None = None

    def update_parameters(self, model: nn.Module) -> None:
        """Moves the teacher towards the student, if that has changed.

        Args:
            model: The student module.
        """
        # torch counts the changes of each tensor in place, such as those by an optimizer.
        versions = [parameter._version for parameter in model.parameters()]
        if versions != self._seen:
            super().update_parameters(model)
            self._seen = versions

    def avg_func(self, averaged_param: Tensor, source_param: Tensor, steps: int) -> None:
        """Updates one parameter in place."""
        # Most parameters are not trained. On other devices the comparison would wait for them.
        if averaged_param.device.type == 'cpu' and torch.equal(averaged_param, source_param):
            return
        equal = averaged_param == source_param
        averaged_param.mul_(self.momentum).add_(source_param * (1 - self.momentum))
        torch.where(equal, source_param, averaged_param, out=averaged_param)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        if not any(key.startswith(prefix) for key in state_dict):
            self.steps.zero_()
            self._seen = None
            own = self.state_dict().items()
            state_dict.update({prefix + key: value for key, value in own})
        super()._load_from_state_dict(state_dict, prefix, *args)
