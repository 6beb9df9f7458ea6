"""Whether a checkpoint is one of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def check_checkpoint_fits(model: nn.Module, checkpoint: Any, path: str, whole: bool = True) -> None:
    """Make sure that loading a checkpoint gives the model its weights.

    torch and MMEngine load what fits, however little that is.

    Args:
        model: The model, without wrappers.
        checkpoint: Content of the file: a state dict, or a mapping with one under ``state_dict``.
        path: What errors call the file.
        whole: Ask for each parameter that the model trains; otherwise for one tensor at least.
            Frozen weights may always be missing: a model rebuilds them from their public source.

    Raises:
        ValueError: The file holds no state dict, no tensor fits the model in name and shape, or a
            trained parameter is missing.
    """
    state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping):
        raise ValueError(f"'{path}' holds {type(checkpoint).__name__}, expected a state dict.")
    shapes = {
        str(key).removeprefix('module.'): value.shape
        for key, value in state.items()
        if isinstance(value, Tensor)
    }
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    fitting = {name for name, value in own.items() if shapes.get(name) == value.shape}
    kind = type(model).__name__
    if not fitting:
        raise ValueError(
            f"None of the {len(state)} entries of '{path}' ({_some(state)}) is a tensor of this "
            f'{kind} ({_some(own)}): nothing was loaded. Use a checkpoint that was trained with '
            'this config; tools/convert_pixelclip.py converts official PixelCLIP checkpoints.'
        )
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    missing = [name for name in trained if name not in fitting]
    if whole and missing:
        raise ValueError(
            f"'{path}' lacks {len(missing)} of the {len(trained)} tensors that this {kind} trains "
            f'({_some(missing)}), or has them in another shape: it belongs to another config. Use '
            'the config that it was trained with.'
        )


def _some(names: Mapping | list[str], most: int = 3) -> str:
    shown = ', '.join(str(name) for name in list(names)[:most])
    return f'{shown}, ...' if len(names) > most else shown
