"""Golden outputs of the official code, and the small random weights that produced them.

Sizes and seeds are in ``config.json``; every weight is a function of its key, shape and a seed.
"""

import importlib.util
import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDENS = Path(__file__).parent / 'data' / 'goldens'
CONFIG = json.loads((GOLDENS / 'config.json').read_text())
DEVICE = os.environ.get('LANGSEG_TEST_DEVICE', 'cpu')  # of the tests of whole models
CONVNEXT = 'langseg_golden_convnext'
HEAD_SHAPES = {
    'conv0.weight': (64, 1, 3, 3),
    'conv0.bias': (64,),
    'up1.weight': (64, 64, 2, 2),
    'up1.bias': (64,),
    **{f'conv1.double_conv.{i}.weight': (64, 64, 3, 3) for i in (0, 3)},
    **{f'conv1.double_conv.{i}.{leaf}': (64,) for i in (1, 4) for leaf in ('weight', 'bias')},
    'up2.weight': (64, 32, 2, 2),
    'up2.bias': (32,),
    **{f'conv2.double_conv.{i}.weight': (32, 32, 3, 3) for i in (0, 3)},
    **{f'conv2.double_conv.{i}.{leaf}': (32,) for i in (1, 4) for leaf in ('weight', 'bias')},
    'proj.weight': (1, 32, 3, 3),
    'proj.bias': (1,),
}


@cache
def _weights():
    spec = importlib.util.spec_from_file_location('golden_weights', GOLDENS / 'weights.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def load(name: str) -> dict[str, np.ndarray]:
    """Return all arrays of ``name.npz``."""
    with np.load(GOLDENS / f'{name}.npz', allow_pickle=False) as file:
        return dict(file)


def tensor(name: str, key: str) -> Tensor:
    """Return one array as a tensor (integers as int64)."""
    value = torch.from_numpy(load(name)[key].copy())
    return value if value.is_floating_point() or value.dtype == torch.uint8 else value.long()


def vit_arch() -> dict:
    """Return the ``arch`` of the ViT goldens for ``load_clip``."""
    cfg = CONFIG['vit']
    return {
        'embed_dim': cfg['embed_dim'],
        'vision_cfg': {
            'layers': cfg['vision_layers'],
            'width': cfg['vision_width'],
            'head_width': 64,
            'patch_size': cfg['vision_patch_size'],
            'image_size': cfg['image_resolution'],
        },
        'text_cfg': {
            'context_length': cfg['context_length'],
            'vocab_size': cfg['vocab_size'],
            'width': cfg['transformer_width'],
            'heads': cfg['transformer_heads'],
            'layers': cfg['transformer_layers'],
        },
        'quick_gelu': True,
    }


def convnext_arch() -> dict:
    """Return the ``arch`` of the ConvNeXt goldens and register its timm trunk."""
    _register_convnext()
    cfg = CONFIG['convnext']
    return {
        'embed_dim': cfg['embed_dim'],
        'vision_cfg': {
            'timm_model_name': CONVNEXT,
            'timm_pool': '',
            'timm_proj': 'linear',
            'timm_drop': 0.0,
            'timm_drop_path': None,
            'image_size': cfg['image_size'],
        },
        'text_cfg': {
            'context_length': 77,
            'vocab_size': 49408,
            'width': cfg['text_width'],
            'heads': cfg['text_heads'],
            'layers': cfg['text_layers'],
        },
    }


def vit_state_dict(teacher: bool = False) -> dict[str, Tensor]:
    """CLIP weights "P" of the ViT goldens; ``teacher``: the image tower of the other seed."""
    seed = CONFIG['seed'] + teacher
    state = _weights().openai_clip_state_dict(CONFIG['vit'], seed)
    return {
        k: torch.from_numpy(np.array(v))
        for k, v in state.items()
        if not teacher or k.startswith('visual.')
    }


def convnext_state_dict(teacher: bool = False) -> dict[str, Tensor]:
    """CLIP weights of the ConvNeXt goldens; ``teacher``: the image tower of the other seed."""
    gold = load('pixelclip_convnext')
    shapes = {
        str(k): tuple(json.loads(str(s)))
        for k, s in zip(gold['state_dict_keys'], gold['state_dict_shapes'], strict=True)
    }
    state = _weights().fill(shapes, CONFIG['convnext']['seed'] + teacher)
    return {
        k: torch.from_numpy(np.array(v))
        for k, v in state.items()
        if not teacher or k.startswith('visual.')
    }


def head_state_dict(convnext: bool = False) -> dict[str, Tensor]:
    """Weights of the mask decoder, without the prefix ``head.``."""
    seed = CONFIG['convnext']['seed'] if convnext else CONFIG['seed']
    return {k: torch.from_numpy(v) for k, v in _weights().fill(HEAD_SHAPES, seed, 'head.').items()}


def prompt_tokens(convnext: bool = False) -> Tensor:
    """Learnable prompts (8, 4, 64)."""
    return tensor('pixelclip_convnext' if convnext else 'pixelclip_vit_inputs', 'prompt_tokens')


def vit_file(folder: Path) -> str:
    """Save the ViT weights to a local file with OpenAI's parameter names."""
    path = Path(folder) / 'golden_vit.pt'
    if not path.exists():
        torch.save(vit_state_dict(), path)
    return str(path)


def convnext_file(folder: Path) -> str:
    """Save the ConvNeXt weights to a local file with open_clip's parameter names."""
    path = Path(folder) / 'golden_convnext.pt'
    if not path.exists():
        torch.save(convnext_state_dict(), path)
    return str(path)


def _register_convnext() -> None:
    from timm.models import is_model, register_model
    from timm.models.convnext import ConvNeXt

    if is_model(CONVNEXT):
        return
    cfg = CONFIG['convnext']

    def langseg_golden_convnext(pretrained: bool = False, **kwargs):
        for key in ('pretrained_cfg', 'pretrained_cfg_overlay', 'cache_dir'):
            kwargs.pop(key, None)
        model = ConvNeXt(depths=cfg['depths'], dims=cfg['dims'], **kwargs)
        model.default_cfg = model.pretrained_cfg = {'pool_size': (3, 3), 'input_size': (3, 96, 96)}
        return model

    langseg_golden_convnext.__module__ = __name__
    register_model(langseg_golden_convnext)
