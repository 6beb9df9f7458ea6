"""Unwrap a (distributed) model."""

from __future__ import annotations

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module, attribute: str, hook: str) -> nn.Module:
    """Return the module inside distributed and test-time augmentation wrappers.

    Args:
        model: A runner's model.
        attribute: Name of an attribute that the module must have.
        hook: Name of the calling hook, for the error message.

    Raises:
        TypeError: If the module lacks the attribute.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    if not hasattr(model, attribute):
        raise TypeError(
            f'{hook} needs a model with {attribute!r}, got {type(model).__name__}: use it with '
            'LanguageSegmentor or PixelCLIP, or remove it from custom_hooks.'
        )
    return model
