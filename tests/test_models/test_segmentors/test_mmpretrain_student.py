"""CLIP-S⁴ with a self-supervised student from MMPretrain."""

import subprocess
import sys

import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmseg.registry import MODELS

from tests.configs import ROOT, load, tiny_model
from tests.tiny import view_batch

NAME = 'clips4/r50-mocov3_voc.py'


def build(checkpoint=None):
    cfg = load(NAME)
    model = tiny_model(cfg)
    model.data_preprocessor.teacher_size = (32, 32)
    model.backbone.init_cfg.checkpoint = checkpoint
    torch.manual_seed(0)
    return cfg, revert_sync_batchnorm(MODELS.build(model))


def test_the_student_starts_from_the_online_encoder_of_moco(tmp_path):
    _, model = build()
    assert type(model.backbone).__module__.startswith('mmpretrain.')
    own = model.backbone.state_dict()
    wanted = {k: torch.rand_like(v.float()).to(v.dtype) for k, v in own.items()}
    # Other modules in MoCo v3's file: neck, head and momentum encoder.
    state = {f'backbone.{key}': value for key, value in wanted.items()}
    state |= {f'momentum_encoder.module.0.{key}': value + 1 for key, value in wanted.items()}
    state |= {'neck.fc0.weight': torch.zeros(2, 2)}
    torch.save(dict(state_dict=state), tmp_path / 'moco.pth')
    _, model = build(str(tmp_path / 'moco.pth'))
    model.backbone.init_weights()
    own = model.backbone.state_dict()
    assert all(torch.equal(own[key], value) for key, value in wanted.items())


def test_it_trains():
    cfg, model = build()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    model.train()
    before = [p.detach().clone() for p in model.backbone.parameters()]
    losses = model.train_step(view_batch(), wrapper)
    assert torch.isfinite(losses['loss'])
    after = list(model.backbone.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_other_models_do_not_need_mmpretrain():
    """The package and the default student work without MMPretrain."""
    code = f"""
import sys
sys.modules['mmpretrain'] = None
sys.path.insert(0, {str(ROOT.parent)!r})
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
import mmseg_langseg, mmseg_langseg.apis
from tests.configs import load, tiny_model
init_default_scope('mmseg')
MODELS.build(tiny_model(load('clips4/r50_voc.py')))
"""
    subprocess.run([sys.executable, '-c', code], check=True, timeout=300)
