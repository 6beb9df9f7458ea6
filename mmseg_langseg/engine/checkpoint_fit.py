"""Check that a checkpoint holds the tensors of its model, by name and shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import Tensor, nn

_UNUSED_IN_TEST = ('auxiliary_head.',)
_REMEDY = (
    'Give a checkpoint of this config; convert an official PixelCLIP checkpoint with '
    'tools/model_converters/pixelclip2mmseg.py.'
)


def check_checkpoint_fit(
    model: nn.Module, checkpoint: Any, source: str, trained: bool
) -> tuple[int, int]:
    """Check that a checkpoint has the model's tensors, by name and shape.

    Frozen modules are not saved, so a checkpoint without them is complete. Auxiliary heads are used
    in training only.

    Args:
        model: Model that will load the checkpoint, possibly inside wrappers.
        checkpoint: Content of the file: a state dict, bare or under ``'state_dict'``.
        source: File name for the error message.
        trained: Require all trained parameters of the model; otherwise, any one tensor suffices.

    Returns:
        The number of fitting tensors, and the number of all tensors in the checkpoint.

    Raises:
        ValueError: The checkpoint does not fit.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    tensors = _tensors(checkpoint, source)
    # Frozen tensors are not in the state dict, but can be loaded.
    own = {**dict(model.named_parameters()), **dict(model.named_buffers()), **model.state_dict()}
    fitting = {k for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise ValueError(
            f"None of the {len(tensors)} tensors of '{source}' fits the model "
            f'({type(model).__name__}): the file has {some_names(tensors)}, the model '
            f'{some_names(own)}. {_REMEDY}'
        )
    needed = [k for k, v in model.named_parameters() if v.requires_grad]
    absent = [k for k in needed if k not in fitting and not k.startswith(_UNUSED_IN_TEST)]
    if trained and absent:
        other = [k for k in absent if k in tensors]
        shape = ''
        if other:
            got, want = (tuple(d[other[0]].shape) for d in (tensors, own))
            shape = f' ({other[0]} has shape {got}, expected {want})'
        raise ValueError(
            f"'{source}' lacks {len(absent)} of the {len(needed)} tensors that the model "
            f'({type(model).__name__}) trains: {some_names(absent)}{shape}. {len(fitting)} of the '
            f"file's {len(tensors)} tensors fit; it has {some_names(tensors)}. Give a checkpoint "
            'that was trained with this config.'
        )
    return len(fitting), len(tensors)


def _tensors(checkpoint: Any, source: str) -> dict[str, Tensor]:
    """Return the tensors under the names that MMEngine looks up."""
    state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping):
        kind = type(checkpoint if state is None else state).__name__
        raise ValueError(f"'{source}' holds no weights but {kind}; expected a state dict")
    tensors = {
        re.sub(r'^module\.', '', str(k)): v for k, v in state.items() if isinstance(v, Tensor)
    }
    if not checkpoint:
        raise ValueError(f"'{source}' holds no tensors: it is empty. {_REMEDY}")
    if not tensors:
        raise ValueError(
            f"'{source}' holds no tensors under the key 'state_dict', or at its top; "
            f'it has the keys {some_names(checkpoint)}. {_REMEDY}'
        )
    return tensors


def some_names(names: Iterable[Any]) -> str:
    """The first three names, for a message."""
    names = [str(name) for name in names]
    if not names:
        return 'nothing'
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
