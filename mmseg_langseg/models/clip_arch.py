"""Architectures of image-text models: open_clip's names, repositories, folders and dicts."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import open_clip
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from mmseg_langseg.fileio import parse_json

from .clip_download import HUB, download_hub_file

QUICK = '-quickgelu'
HUB_CONFIG = 'open_clip_config.json'
_REQUIRED = {'embed_dim', 'vision_cfg', 'text_cfg'}
_OPTIONAL = {'quick_gelu', 'init_logit_scale', 'init_logit_bias', 'nonscalar_logit_scale'}
# They choose a class in open_clip; here all models have separate image and text towers. The
# decoder of CoCa, which writes captions, is left out.
_LEFT_OUT = {'custom_text', 'multimodal_cfg', 'cast_dtype', 'output_dict'}


def library() -> str:
    """Return name and version of open_clip."""
    return f'open_clip {version("open_clip_torch")}'


def arch_config(arch: str | Mapping) -> dict[str, Any]:
    """Return the keyword arguments of ``open_clip.CustomTextCLIP`` for an architecture.

    Args:
        arch: A model name of open_clip (``'ViT-B-16-SigLIP2'``), a repository
            (``'hf-hub:timm/ViT-B-16-SigLIP2'``) or folder (``'local-dir:PATH'``, or its path) with
            an ``open_clip_config.json``, or these arguments as a dict.

    Raises:
        ValueError: The name is unknown, or the dict has other entries.
        FileNotFoundError: The folder has no ``open_clip_config.json``.
        RuntimeError: The repository's file is not on this machine and cannot be downloaded.
    """
    if isinstance(arch, Mapping):
        config = _plain(arch)
    elif not isinstance(arch, str):
        raise ValueError(f'arch must be an open_clip model name or a dict, got {arch!r}')
    else:
        config = stored_config(arch).get('model_cfg') if is_stored(arch) else _named(arch)
    return _checked({key: value for key, value in config.items() if key not in _LEFT_OUT})


def is_stored(arch: str | Mapping) -> bool:
    """Return whether an architecture is that of a repository or folder."""
    return isinstance(arch, str) and (
        arch.startswith((HUB, 'local-dir:')) or os.path.isdir(os.path.expanduser(arch))
    )


def stored_config(arch: str) -> dict[str, Any]:
    """Return the content of a repository's or folder's ``open_clip_config.json``.

    Raises:
        ValueError: The file is no JSON object with ``model_cfg``.
        FileNotFoundError: The folder has no such file.
        RuntimeError: The download failed.
    """
    if arch.startswith(HUB):
        path = Path(download_hub_file(arch.removeprefix(HUB), HUB_CONFIG))
    else:
        path = Path(arch.removeprefix('local-dir:')).expanduser() / HUB_CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"arch='{arch}': the folder has no '{HUB_CONFIG}'.")
    content = parse_json(path.read_bytes(), f"'{path}'")
    if not isinstance(content, dict) or not isinstance(content.get('model_cfg'), dict):
        raise ValueError(f"'{path}' describes no model of open_clip: it has no 'model_cfg'.")
    return content


def _named(arch: str) -> dict[str, Any]:
    if arch in open_clip.list_models():
        return open_clip.get_model_config(arch)
    base = arch.removesuffix(QUICK)
    if base != arch and base in open_clip.list_models():
        return {**open_clip.get_model_config(base), 'quick_gelu': True}
    near = difflib.get_close_matches(arch.replace('/', '-'), open_clip.list_models(), 5, 0.5)
    hint = f'Did you mean one of {near}?' if near else 'See open_clip.list_models().'
    raise ValueError(f"{library()} has no model '{arch}'. {hint}")


def _checked(config: dict[str, Any]) -> dict[str, Any]:
    given = set(config)
    if not _REQUIRED <= given <= _REQUIRED | _OPTIONAL:
        raise ValueError(
            f'arch must have the keys {sorted(_REQUIRED)}, and optionally {sorted(_OPTIONAL)}; '
            f'got {sorted(given)}'
        )
    for key, cls in (('vision_cfg', CLIPVisionCfg), ('text_cfg', CLIPTextCfg)):
        unknown = set(config[key]) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f'arch.{key}: open_clip does not know {sorted(unknown)}')
    # The weights of the whole model are loaded, so those of one tower are not downloaded.
    config['vision_cfg'] = {**config['vision_cfg'], 'timm_model_pretrained': False}
    config['text_cfg'] = {**config['text_cfg'], 'hf_model_pretrained': False}
    return config


def _plain(value: Any) -> Any:
    """Convert ConfigDict and other mappings to plain dicts."""
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value
