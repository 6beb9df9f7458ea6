"""Compile parts of the model for training, with torch.compile."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn

from .unwrap import unwrap_model


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile parts of the model with ``torch.compile``; without a compiler, train as usual.

    Towers and decoders take nearly all of the time and compile as they are. MMEngine's
    ``compile=True`` compiles the whole training step instead, including data structures and
    collective calls that ``torch.compile`` cannot handle. Names of parameters and checkpoints do
    not change.

    A warning of the log says why nothing is compiled, for example without a C++ compiler. Parts
    of a model that torch fails to compile run without being compiled.

    Args:
        parts: Dotted names of modules. A model without one of them is an error.
        **options: Of ``torch.compile``, such as ``mode`` or ``dynamic``.

    Raises:
        ValueError: ``parts`` is empty or a string.
    """

    def __init__(self, parts: Sequence[str] = ('backbone',), **options) -> None:
        if isinstance(parts, str) or not parts:
            raise ValueError(
                f"parts={parts!r}: expected a list of names of modules, such as ['backbone']."
            )
        self.parts = tuple(parts)
        self.options = options
        self._suppressed: bool | None = None

    def before_train(self, runner: Runner) -> None:
        """Compile the parts.

        Raises:
            ValueError: The model has no module of a name.
        """
        model = unwrap_model(runner.model, 'train_step', type(self).__name__)
        modules = [_find(model, name) for name in self.parts]
        problem = self._problem(next(model.parameters()).device)
        if problem is not None:
            runner.logger.warning(f'Nothing is compiled, the training is slower: {problem}')
            return
        self._suppressed = torch._dynamo.config.suppress_errors
        torch._dynamo.config.suppress_errors = True
        for module in modules:
            module.compile(**self.options)
        runner.logger.info(f'Compiled: {", ".join(self.parts)}. The first iterations take longer.')

    def after_train(self, runner: Runner) -> None:
        """Restore the setting of torch for errors."""
        if self._suppressed is not None:
            torch._dynamo.config.suppress_errors = self._suppressed

    def _problem(self, device: torch.device) -> str | None:
        """Return why a trivial function does not compile, or None if it does."""
        if not hasattr(nn.Module, 'compile'):
            return f'torch {torch.__version__} cannot compile modules in place'
        value = torch.ones(8, device=device, requires_grad=True)
        try:
            torch.compile(_trial, **self.options)(value).backward()
        except Exception as error:  # of any backend and compiler
            inner = getattr(error, 'inner_exception', error)
            return ''.join(str(inner).strip().splitlines()[:1]) or type(inner).__name__
        return None


def _trial(value: torch.Tensor) -> torch.Tensor:
    return (value.sin() * value).sum()


def _find(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError:
        known = ', '.join(child for child, _ in model.named_children())
        raise ValueError(
            f'CompileHook: the model, a {type(model).__name__}, has no module {name!r}; it has '
            f'{known}.'
        ) from None
