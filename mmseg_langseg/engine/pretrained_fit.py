"""Check that pretrained weights of ``init_cfg`` are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader
from torch import nn

from .checkpoint_fit import some_names

_TYPES = ('Pretrained', PretrainedInit)


class PretrainedWatch:
    """Watch what each ``init_cfg=dict(type='Pretrained', ...)`` of a model loads.

    MMEngine loads the tensors that fit and logs the others, even if none fits. The check is done
    where tensors arrive at the module, as a backbone may rename them or read the file itself.

    Args:
        model: Model whose ``init_weights`` has not been called yet.

    Raises:
        ValueError: No tensor of a file has the ``prefix`` of the config.
    """

    def __init__(self, model: nn.Module) -> None:
        self._handles = []
        self._failures: list[str] = []
        for name, module in model.named_modules():
            name = name.removeprefix('module.')  # of a distributed wrapper
            for init_cfg in _pretrained(module):
                _check_prefix(init_cfg, name, module)
                self._watch(init_cfg, name, module)

    def check(self) -> None:
        """End the watch.

        Raises:
            ValueError: No tensor of a file was loaded.
        """
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._failures:
            raise ValueError(self._failures[0])

    def _watch(self, init_cfg: Mapping[str, Any], name: str, module: nn.Module) -> None:
        def look(state_dict: Mapping[str, Any], prefix: str, *_: Any) -> None:
            # With a prefix, the module is loaded as a submodule of another one.
            if not prefix and not _fits(state_dict, module):
                self._failures.append(_describe(init_cfg, name, module, state_dict))

        self._handles.append(module._register_load_state_dict_pre_hook(look))


def _pretrained(module: nn.Module) -> Iterator[Mapping[str, Any]]:
    init_cfgs = getattr(module, 'init_cfg', None) or ()
    for init_cfg in [init_cfgs] if isinstance(init_cfgs, Mapping) else init_cfgs:
        if isinstance(init_cfg, Mapping) and init_cfg.get('type') in _TYPES:
            yield init_cfg


def _check_prefix(init_cfg: Mapping[str, Any], name: str, module: nn.Module) -> None:
    """Check ``prefix`` before MMEngine does, whose assertion does not name the file."""
    prefix, source = init_cfg.get('prefix'), init_cfg.get('checkpoint')
    if prefix is None or not source:
        return
    state = CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
    if isinstance(state, Mapping):
        state = state.get('state_dict', state)
    if isinstance(state, Mapping) and not any(
        str(key).startswith(prefix.rstrip('.') + '.') for key in state
    ):
        raise ValueError(_describe(init_cfg, name, module, state))


def _tensors_of(module: nn.Module) -> dict[str, Any]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _fits(state_dict: Mapping[str, Any], module: nn.Module) -> bool:
    own = _tensors_of(module)
    return any(
        key in own and getattr(value, 'shape', None) == own[key].shape
        for key, value in state_dict.items()
    )


def _describe(
    init_cfg: Mapping[str, Any], name: str, module: nn.Module, state_dict: Mapping[str, Any]
) -> str:
    prefix = init_cfg.get('prefix')
    remedy = (
        "If the file holds a larger model, name the submodule, e.g. prefix='backbone.' in init_cfg"
        if prefix is None
        else f'The config has prefix={prefix!r}; give the one of the file, or none'
    )
    where = f'{name} ({type(module).__name__})' if name else type(module).__name__
    return (
        f'Nothing of {str(init_cfg.get("checkpoint"))!r} was loaded into {where}, which would '
        f'start from random weights: the file has {some_names(state_dict)}, the module '
        f'{some_names(_tensors_of(module))}. {remedy}.'
    )
