"""Load image-text models from an open_clip tag, a local file, or with random weights."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import CLIPTextCfg, CLIPVisionCfg, convert_to_custom_text_state_dict
from open_clip.pretrained import list_pretrained_tags_by_model
from torch import Tensor, nn

from .clip_arch import QUICK, arch_config, is_stored, library
from .clip_download import HUB, download_clip, download_hub_weights
from .clip_files import ClipFile, read_clip_file
from .quick_gelu import replace_quick_gelu

EMBEDDED = 'embedded:'
ASSETS = Path(__file__).parents[1] / 'synthetic' / 'assets'
_FILE_SUFFIXES = {'.pt', '.pth', '.bin', '.ckpt', '.safetensors'}
# In the order in which open_clip looks for them.
_FOLDER_FILES = (
    'open_clip_model.safetensors',
    'open_clip_pytorch_model.safetensors',
    'open_clip_pytorch_model.bin',
    'open_clip_pytorch_model.pth',
    'model.safetensors',
    'pytorch_model.bin',
)

# The caption decoder of CoCa, and an entry of files by older versions of transformers.
_UNUSED = ('text_decoder.', 'text.transformer.embeddings.position_ids')


def load_clip(
    arch: str | Mapping, pretrained: str | os.PathLike | None = None
) -> open_clip.CustomTextCLIP:
    """Build an image-text model of open_clip and load its weights.

    Models of all kinds get the same structure, ``visual`` and ``text``: CLIP, SigLIP, EVA, PE,
    MobileCLIP, those with a text tower of Hugging Face, and CoCa, without its caption decoder.

    Args:
        arch: See :func:`~mmseg_langseg.models.clip_arch.arch_config`: a model name of open_clip
            (``'ViT-B-16-quickgelu'``, ``'ViT-B-16-SigLIP2'``), ``'hf-hub:OWNER/NAME'``, a folder,
            or ``dict(embed_dim, vision_cfg, text_cfg, ...)`` as ``open_clip.CustomTextCLIP`` takes
            it.
        pretrained: ``None`` (random weights), a tag that open_clip lists for the name (downloaded
            and cached by open_clip), ``'hf-hub:OWNER/NAME'``, a folder with such weights, or a
            local file: OpenAI's archive or state dict, an open_clip state dict (also
            ``.safetensors``), an official PixelCLIP checkpoint, or a compact file
            (see ``clip_files.read_clip_file``); ``'embedded:NAME'`` is a compact file bundled with
            the package.

    Returns:
        The model in float32, on the CPU, in eval mode. Its ``trained_token_ids`` are the ids of
        the tokens that a compact file was trained on (int64), None for other weights.

    Raises:
        ValueError: Unknown name or tag, GELU where the weights need QuickGELU (or the reverse),
            or a file without weights of ``arch``.
        FileNotFoundError: The local file is missing.
        RuntimeError: A download failed, or a package is missing.

    A bare local state dict does not record its activation: OpenAI's weights are recognized only
    in OpenAI's archive format or by its extra entries.
    """
    config = arch_config(arch)
    path, source = _locate(arch, pretrained)
    file = None
    if path is not None:
        file = read_clip_file(path)
        _check_activation(arch, config, file, source)
        _check_compact_arch(config, file, source)
    model = _build(config).float().eval()
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


def _build(config: dict) -> open_clip.CustomTextCLIP:
    name = config['text_cfg'].get('hf_model_name')
    try:
        model = open_clip.CustomTextCLIP(**config)
    except (OSError, RuntimeError) as error:
        if name is None:
            raise
        raise RuntimeError(
            f"The text tower '{name}' is a model of Hugging Face and could not be built "
            f'({type(error).__name__}: {str(error).splitlines()[0]}). It needs the package '
            "transformers (pip install 'mmseg_langseg[transformers]') and its config.json: fetch "
            f"{name} on a machine with network, and give the folder as arch's "
            'text_cfg.hf_model_name.'
        ) from error
    replace_quick_gelu(model)
    return model


def _locate(arch, pretrained) -> tuple[str | None, str]:
    """Return the path of the weight file (downloaded for a tag) and its name for messages."""
    if pretrained is None:
        return None, 'random weights'
    text = os.fspath(pretrained)
    if text.startswith(HUB):
        return download_hub_weights(text.removeprefix(HUB)), f"the repository '{text}'"
    if text.startswith(EMBEDDED):
        return _embedded(text), f"the bundled '{text.removeprefix(EMBEDDED)}'"
    source = f"the file '{text}'"
    tag = text.lower().replace('-', '_')
    if isinstance(arch, str) and not is_stored(arch):
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
    folder = os.path.expanduser(text.removeprefix('local-dir:'))
    if os.path.isdir(folder):
        return _file_in(folder), source
    if os.path.dirname(text) or Path(text).suffix in _FILE_SUFFIXES:
        folder = os.path.dirname(os.path.abspath(text))
        raise FileNotFoundError(f"pretrained='{text}': no such file (looked in '{folder}')")
    if not isinstance(arch, str) or is_stored(arch):
        kind = 'as a dict' if not isinstance(arch, str) else f"as '{arch}'"
        raise ValueError(
            f"pretrained='{text}': with an arch given {kind} it must be an existing file, a "
            "folder, 'hf-hub:OWNER/NAME' or None"
        )
    tags = sorted(quick if arch.endswith(QUICK) else plain)
    raise ValueError(
        f"pretrained='{text}' is neither a file nor a tag of '{arch}'. "
        f'{library()} lists {tags or "no tags"} for it.'
    )


def _file_in(folder: str) -> str:
    """Return the weights in a folder of Hugging Face's layout."""
    for name in _FOLDER_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(
        f"pretrained='{folder}' is a folder without {', '.join(_FOLDER_FILES)}: give the file."
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
    want, got = _full_config(config), _full_config(arch_config(file.arch))
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


def _load(model: open_clip.CustomTextCLIP, file: ClipFile, arch, source: str) -> None:
    shape = model.text.token_embedding.weight.shape if file.token_embedding else None
    own = model.state_dict()
    state = convert_state_dict(model, file.state_dict(shape))
    state = convert_to_custom_text_state_dict(state)
    for name in ('logit_scale', 'logit_bias'):
        if name in state and name in own and state[name].numel() == 1:
            state[name] = state[name].reshape(own[name].shape)
    state = {k: v for k, v in state.items() if not k.startswith(_UNUSED)}
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
