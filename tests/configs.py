"""The configs, and tiny models of them."""

import copy
import functools
from pathlib import Path

from mmengine.config import Config

from mmseg_langseg.apis.benchmark import use_benchmark
from mmseg_langseg.models.backbones import tower_class
from mmseg_langseg.models.clip_loader import ASSETS, EMBEDDED
from tests import tiny_timm
from tests.tiny import CONV, RESNET, VIT

ROOT = Path(__file__).resolve().parents[1] / 'configs'
CONFIGS = sorted(
    str(path.relative_to(ROOT))
    for path in ROOT.rglob('*.py')
    if not {'_base_', 'transfer'} & set(path.parts)  # transfer: tests/test_evaluation
)
TOWERS = {
    'CLIPVisionTransformer': VIT,
    'CLIPTimmVisionTransformer': tiny_timm.SIGLIP,
    'CLIPTimmTower': CONV,
    'CLIPResNet': RESNET,
    'PE-Core-B-16': tiny_timm.arch('pe'),
    'MobileCLIP2-S2': tiny_timm.arch('fastvit'),
}
BENCHMARKS = {'voc': 20, 'context': 59, 'cocostuff': 171, 'ade': 150}


@functools.cache
def read(name):
    return Config.fromfile(ROOT / name)


def load(name, benchmark=None):
    cfg = copy.deepcopy(read(name))
    if benchmark:
        use_benchmark(cfg, benchmark)
    return cfg


def tiny_model(cfg, arch=None):
    """The model config with random weights in a tiny CLIP of the right kind, and a tiny student."""
    model = copy.deepcopy(cfg.model)
    clip, tower = model.clip, model.get('teacher') or model.backbone
    if str(clip.pretrained).startswith(EMBEDDED):
        if not (ASSETS / f'{clip.pretrained.removeprefix(EMBEDDED)}.pth').is_file():
            clip.pretrained = None
    else:
        kind = tower.type
        if kind == 'CLIPImageTower':
            kind = tower_class(clip.arch).__name__
        clip.arch, clip.pretrained = arch or TOWERS.get(str(clip.arch), TOWERS[kind]), None
        text_encoder = model.decode_head.text_encoder
        if text_encoder.get('arch'):
            text_encoder.update(arch=clip.arch, pretrained=None)
    if model.get('mask_generator'):
        model.mask_generator.update(model_name='test_vit', pretrained=False)
    if model.decode_head.get('vocabulary'):
        model.decode_head.templates = 'single'  # not 85 sentences for each of 171 names
    if model.get('neck'):
        shrink_student(model)
    return model


def shrink_student(model):
    backbone, neck = model.backbone, model.neck
    if backbone.type == 'VisionTransformer':
        backbone.update(embed_dims=16, num_heads=2)
        neck.head.update(in_channels=16, channels=8)
    else:
        backbone.update(depth=18, stem_channels=8, base_channels=8)
        neck.head.update(in_channels=64, channels=8)
    neck.embed_dim = model.clip.arch.embed_dim
