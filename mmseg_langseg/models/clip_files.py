"""Read CLIP weight files: OpenAI, open_clip, PixelCLIP and compact formats."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmseg_langseg.fileio import read_checkpoint

PIXELCLIP_PREFIX = 'sem_seg_head.predictor.clip_model.'
_OPENAI_EXTRAS = ('input_resolution', 'context_length', 'vocab_size')
_TOKENS = 'token_embedding.weight'
# Files with an exponential moving average only have the last ones.
_WRAPPERS = ('model', 'state_dict', 'state_dict_ema', 'model_ema', 'ema_state_dict', 'ema')


@dataclass
class ClipFile:
    """Contents of a CLIP weight file.

    Attributes:
        weights: Tensors by open_clip's names.
        quick_gelu: Whether they were trained with QuickGELU; None if the file does not say.
        arch: Keyword arguments of ``open_clip.CLIP``; compact files only.
        token_embedding: ``ids`` (n,), ``rows`` (n, width), ``seed``, ``std``; compact files only.
    """

    weights: dict[str, Tensor]
    quick_gelu: bool | None = None
    arch: dict | None = None
    token_embedding: dict | None = None

    def state_dict(self, token_shape: torch.Size | None) -> dict[str, Tensor]:
        """Return all weights in float32; ``token_shape`` is (vocabulary, width)."""
        weights = {k: v.float() if v.is_floating_point() else v for k, v in self.weights.items()}
        if self.token_embedding is not None:
            weights[_TOKENS] = _expand_tokens(self.token_embedding, token_shape)
        return weights


def read_clip_file(path: str | os.PathLike) -> ClipFile:
    """Read a CLIP weight file in one of these formats.

    - OpenAI's TorchScript archive, or its state dict;
    - an open_clip state dict of any precision, bare or under ``'state_dict'`` or a usual name of an
      exponential moving average, or as ``.safetensors``;
    - an official PixelCLIP checkpoint (the CLIP under ``sem_seg_head.predictor.clip_model``);
    - a compact file ``dict(arch, state_dict, token_embedding=dict(ids, rows, seed, std))``: token
      rows that are not in ``ids`` are ``torch.randn`` from ``seed`` times ``std``.

    No code in the file is executed, see :func:`~mmseg_langseg.fileio.read_checkpoint`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is corrupt or in none of these formats.
    """
    path = os.fspath(path)
    content = read_checkpoint(path)
    if isinstance(content, Mapping) and {'arch', 'state_dict', 'token_embedding'} <= set(content):
        arch, tokens = content['arch'], content['token_embedding']
        if not isinstance(arch, dict) or not _is_token_embedding(tokens):
            raise ValueError(
                f"'{path}' is not a compact CLIP file: expected dicts 'arch' and "
                "'token_embedding', the latter with 'ids' (n,), 'rows' (n, width), 'seed' and 'std'"
            )
        weights = _from_tensors(content['state_dict'], path).weights
        return ClipFile(weights, arch.get('quick_gelu') is True, arch, tokens)
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    return _from_tensors(content, path)


def _from_tensors(content, path: str, quick_gelu: bool | None = None) -> ClipFile:
    if not isinstance(content, Mapping) or not content:
        kind = type(content).__name__
        raise ValueError(f"'{path}' holds no weights: expected a state dict, got {kind}")
    weights = {str(k).removeprefix('module.'): v for k, v in content.items()}
    clip = {
        k.removeprefix(PIXELCLIP_PREFIX): v
        for k, v in weights.items()
        if k.startswith(PIXELCLIP_PREFIX)
    }
    if clip:
        weights = clip
        # the official ViT is OpenAI's, the official ConvNeXt is open_clip's
        quick_gelu = 'visual.class_embedding' in clip
    if any(k in weights for k in _OPENAI_EXTRAS):
        quick_gelu = True
        weights = {k: v for k, v in weights.items() if k not in _OPENAI_EXTRAS}
    wrong = [k for k, v in weights.items() if not isinstance(v, Tensor)]
    if wrong:
        raise ValueError(f"'{path}' is not a CLIP weight file: entry '{wrong[0]}' is not a tensor")
    return ClipFile(weights, quick_gelu)


def _is_token_embedding(entry: Any) -> bool:
    if not isinstance(entry, dict) or not {'ids', 'rows', 'seed', 'std'} <= set(entry):
        return False
    ids, rows, seed, std = (entry[key] for key in ('ids', 'rows', 'seed', 'std'))
    return (
        isinstance(ids, Tensor)
        and ids.dtype == torch.int64
        and ids.ndim == 1
        and (not len(ids) or int(ids.min()) >= 0)
        and isinstance(rows, Tensor)
        and rows.is_floating_point()
        and rows.ndim == 2
        and isinstance(seed, int)
        and -(2**63) <= seed < 2**63
        and isinstance(std, (int, float))
        and math.isfinite(std)
    )


def _expand_tokens(entry: Mapping, shape: torch.Size) -> Tensor:
    ids, rows = entry['ids'], entry['rows'].float()
    if rows.shape != (len(ids), shape[1]) or (len(ids) and int(ids.max()) >= shape[0]):
        raise ValueError(
            f'compact CLIP file: token rows {tuple(rows.shape)} for {len(ids)} ids up to '
            f'{int(ids.max()) if len(ids) else None} do not fit an embedding of {tuple(shape)}'
        )
    generator = torch.Generator().manual_seed(int(entry['seed']))
    table = torch.randn(*shape, generator=generator) * float(entry['std'])
    table[ids] = rows
    return table
