"""Load CLIP models from an open_clip tag, a local file, or with random weights."""

import difflib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path

import open_clip
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from open_clip.pretrained import list_pretrained_tags_by_model
from torch import Tensor, nn

from .clip_download import download_clip
from .clip_files import ClipFile, read_clip_file

QUICK = '-quickgelu'
EMBEDDED = 'embedded:'
ASSETS = Path(__file__).parents[1] / 'synthetic' / 'assets'
_FILE_SUFFIXES = {'.pt', '.pth', '.bin', '.ckpt', '.safetensors'}
_ARCH_KEYS = {'embed_dim', 'vision_cfg', 'text_cfg', 'quick_gelu'}


def load_clip(arch: str | Mapping, pretrained: str | os.PathLike | None = None) -> open_clip.CLIP:
    """Build an open_clip CLIP model and load its weights.

    Args:
        arch: A model name of open_clip (``'ViT-B-16-quickgelu'``, ``'convnext_base_w_320'``), or
            ``dict(embed_dim, vision_cfg, text_cfg, quick_gelu)`` as ``open_clip.CLIP`` takes it.
        pretrained: ``None`` (random weights), a tag that open_clip lists for the name (downloaded
            and cached by open_clip), or a local file: OpenAI's archive or state dict, an open_clip
            state dict (also ``.safetensors``), an official PixelCLIP checkpoint, or a compact file
            (see ``clip_files.read_clip_file``); ``'embedded:NAME'`` is a compact file bundled with
            the package.

    Returns:
        The model in float32, on the CPU, in eval mode. Its ``trained_token_ids`` are the ids of
        the tokens that a compact file was trained on (int64), None for other weights.

    Raises:
        ValueError: Unknown name or tag, GELU where the weights need QuickGELU (or the reverse),
            or a file without weights of ``arch``.
        FileNotFoundError: The local file is missing.
        RuntimeError: The download failed.

    A bare local state dict does not record its activation: OpenAI's weights are recognized only
    in OpenAI's archive format or by its extra entries.
    """
    config = _arch_config(arch)
    path, source = _locate(arch, pretrained)
    file = None
    if path is not None:
        file = read_clip_file(path)
        _check_activation(arch, config, file, source)
        _check_compact_arch(config, file, source)
    model = open_clip.CLIP(**config).float().eval()
    model.trained_token_ids = None
    if file is not None:
        _load(model, file, arch, source)
        if file.token_embedding is not None:
            model.trained_token_ids = file.token_embedding['ids']
    return model


def weights_fingerprint(module: nn.Module) -> str:
    """Return a short hash (16 hex digits) of the names, types, shapes and values of all tensors."""
    digest = hashlib.sha256()
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    for name, tensor in sorted(tensors.items()):
        tensor = tensor.detach().cpu()
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)};'.encode())
        digest.update(memoryview(tensor.contiguous().reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()[:16]


def _library() -> str:
    return f'open_clip {version("open_clip_torch")}'


def _arch_config(arch: str | Mapping) -> dict:
    """Return the keyword arguments of ``open_clip.CLIP``."""
    if isinstance(arch, Mapping):
        return _dict_config(arch)
    if not isinstance(arch, str):
        raise ValueError(f'arch must be an open_clip model name or a dict, got {arch!r}')
    config = open_clip.get_model_config(arch) if arch in open_clip.list_models() else None
    if config is None and arch.endswith(QUICK):
        # older open_clip lacks some of the -quickgelu names
        base = arch.removesuffix(QUICK)
        if base in open_clip.list_models():
            config = {**open_clip.get_model_config(base), 'quick_gelu': True}
    if config is None:
        near = difflib.get_close_matches(arch.replace('/', '-'), open_clip.list_models(), 5, 0.5)
        hint = f'Did you mean one of {near}?' if near else 'See open_clip.list_models().'
        raise ValueError(f"{_library()} has no model '{arch}'. {hint}")
    custom = config.pop('custom_text', False) or 'hf_model_name' in config['text_cfg']
    if custom or 'multimodal_cfg' in config:
        raise ValueError(
            f"'{arch}' has a custom text tower (open_clip.CustomTextCLIP); only models of the "
            'class open_clip.CLIP are supported, such as ViT-B-16-quickgelu, RN50-quickgelu or '
            'convnext_base_w_320'
        )
    return config


def _dict_config(arch: Mapping) -> dict:
    config = _plain(arch)
    given, needed = set(config), _ARCH_KEYS - {'quick_gelu'}
    if not needed <= given <= _ARCH_KEYS:
        raise ValueError(f'arch must have the keys {sorted(_ARCH_KEYS)}, got {sorted(given)}')
    for key, cls in (('vision_cfg', CLIPVisionCfg), ('text_cfg', CLIPTextCfg)):
        unknown = set(config[key]) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f'arch.{key}: open_clip does not know {sorted(unknown)}')
    return config


def _plain(value):
    """Convert ConfigDict and other mappings to plain dicts."""
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value


def _locate(arch, pretrained) -> tuple[str | None, str]:
    """Return the path of the weight file (downloaded for a tag) and its name for messages."""
    if pretrained is None:
        return None, 'random weights'
    text = os.fspath(pretrained)
    if text.startswith(EMBEDDED):
        return _embedded(text), f"the bundled '{text.removeprefix(EMBEDDED)}'"
    source = f"the file '{text}'"
    tag = text.lower().replace('-', '_')
    if isinstance(arch, str):
        base = arch.removesuffix(QUICK)
        quick = set(list_pretrained_tags_by_model(base + QUICK))
        plain = set(list_pretrained_tags_by_model(base))
        quick |= {'openai'} & plain
        plain -= quick
        if tag in quick | plain:
            _check_tag_activation(arch, base, text, tag in quick)
            return download_clip(arch, base, tag), f"open_clip's '{text}'"
    if os.path.isfile(text):
        return text, source
    if os.path.isdir(text):
        raise FileNotFoundError(f"pretrained='{text}' is a folder; give the weight file in it")
    if os.path.dirname(text) or Path(text).suffix in _FILE_SUFFIXES:
        folder = os.path.dirname(os.path.abspath(text))
        raise FileNotFoundError(f"pretrained='{text}': no such file (looked in '{folder}')")
    if not isinstance(arch, str):
        raise ValueError(
            f"pretrained='{text}': with an arch given as a dict it must be an existing file or None"
        )
    tags = sorted(quick if arch.endswith(QUICK) else plain)
    raise ValueError(
        f"pretrained='{text}' is neither a file nor a tag of '{arch}'. "
        f'{_library()} lists {tags or "no tags"} for it.'
    )


def _embedded(name: str) -> str:
    path = ASSETS / f'{name.removeprefix(EMBEDDED)}.pth'
    if not path.is_file():
        names = sorted(file.stem for file in ASSETS.glob('*.pth'))
        raise FileNotFoundError(f"pretrained='{name}': the package ships {names}.")
    return str(path)


def _check_tag_activation(arch: str, base: str, tag: str, quick: bool) -> None:
    if arch.endswith(QUICK) != quick:
        right = base + QUICK if quick else base
        raise ValueError(
            f"The weights '{tag}' were trained with {'Quick' if quick else ''}GELU, but the model "
            f"'{arch}' computes {'' if quick else 'Quick'}GELU. Use arch='{right}'."
        )


def _check_activation(arch, config: dict, file: ClipFile, source: str) -> None:
    quick = bool(config.get('quick_gelu', False))
    if file.quick_gelu is None or file.quick_gelu == quick:
        return
    if isinstance(arch, str):
        base = arch.removesuffix(QUICK)
        advice = f"arch='{base + QUICK if file.quick_gelu else base}'"
    else:
        advice = f'quick_gelu={file.quick_gelu} in arch'
    raise ValueError(
        f'{source} holds weights trained with {"Quick" if file.quick_gelu else ""}GELU, but the '
        f'model computes {"Quick" if quick else ""}GELU. Use {advice}.'
    )


def _check_compact_arch(config: dict, file: ClipFile, source: str) -> None:
    """Check what tensor shapes do not show, such as the number of heads and the pooling."""
    if file.arch is None:
        return
    want, got = _full_config(config), _full_config(_dict_config(file.arch))
    diff = [k for k in want if want[k] != got[k]]
    if diff:
        lines = ', '.join(f'{k}: file {got[k]!r}, config {want[k]!r}' for k in diff[:5])
        raise ValueError(f'{source} was made for another architecture ({lines})')


def _full_config(config: dict) -> dict:
    """Return the flattened config, with open_clip's defaults filled in."""
    vision = asdict(CLIPVisionCfg(**config['vision_cfg']))
    text = asdict(CLIPTextCfg(**config['text_cfg']))
    flat = {f'vision_cfg.{k}': v for k, v in vision.items()}
    flat |= {f'text_cfg.{k}': v for k, v in text.items()}
    flat = {k: list(v) if isinstance(v, tuple) else v for k, v in flat.items()}
    return {'embed_dim': config['embed_dim'], **flat}


def _load(model: open_clip.CLIP, file: ClipFile, arch, source: str) -> None:
    state = file.state_dict(model.token_embedding.weight.shape)
    own = model.state_dict()
    if 'logit_scale' in state and state['logit_scale'].numel() == 1:
        state['logit_scale'] = state['logit_scale'].reshape(own['logit_scale'].shape)
    _check_keys(own, state, arch, source)
    model.load_state_dict(state)


def _check_keys(own: dict[str, Tensor], state: dict[str, Tensor], arch, source: str) -> None:
    missing = [k for k in own if k not in state]
    unexpected = [k for k in state if k not in own]
    shapes = [
        f'{k} {tuple(state[k].shape)} instead of {tuple(own[k].shape)}'
        for k in own
        if k in state and own[k].shape != state[k].shape
    ]
    problems = {'missing': missing, 'unexpected': unexpected, 'of another shape': shapes}
    parts = [
        f'{len(v)} {name} ({", ".join(v[:3])}{", ..." if len(v) > 3 else ""})'
        for name, v in problems.items()
        if v
    ]
    if parts:
        name = f"'{arch}'" if isinstance(arch, str) else 'the arch given'
        raise ValueError(f'{source} does not fit {name}: tensors {"; ".join(parts)}.')
