"""Transfer configs (configs/clips4/transfer): build, trained parameters, weights of a student."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import load_checkpoint
from mmseg.registry import MODELS
from torch import nn

import mmseg_langseg  # noqa: F401  (registers the modules)

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / 'clips4'
CONFIGS = sorted(path.stem for path in FOLDER.glob('transfer/*.py'))


def load(name):
    """Load a config; a ResNet student is made narrow and reads no file."""
    cfg = Config.fromfile(FOLDER / 'transfer' / f'{name}.py')
    if cfg.model.backbone.type == 'ResNetV1c':
        cfg.model.backbone.update(base_channels=4, stem_channels=8, init_cfg=None)
        cfg.model.neck.head.update(in_channels=128, channels=8)
    return cfg


def build(cfg):
    return MODELS.build(copy.deepcopy(cfg.model))


def test_there_are_configs():
    assert {'r50_voc_linear-probe', 'r50_voc_finetune', 'synthetic_linear-probe'} == set(CONFIGS)


@pytest.mark.parametrize('name', CONFIGS)
def test_config_is_short_complete_and_trains_what_it_says(name):
    assert len((FOLDER / 'transfer' / f'{name}.py').read_text().splitlines()) <= 60
    cfg = load(name)
    assert cfg.custom_imports.imports == ['mmseg_langseg'] and cfg.load_from.endswith('.pth')
    assert not cfg.get('custom_hooks'), 'a plain segmentor has no words'
    model = build(cfg)
    trained = {name.partition('.')[0] for name, p in model.named_parameters() if p.requires_grad}
    if name.endswith('linear-probe'):
        assert trained == {'decode_head'} and cfg.model.type == 'LinearProbe'
        assert sum(isinstance(m, nn.Conv2d) for m in model.decode_head.modules()) == 1
        assert model.decode_head.conv_seg.kernel_size == (1, 1)
    else:
        assert trained == {'backbone', 'neck', 'decode_head'}
        assert cfg.model.type == 'EncoderDecoder'
    build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))


@pytest.mark.parametrize('name', CONFIGS)
def test_weights_of_a_student_are_taken_over(name, tmp_path):
    cfg = load(name)
    student, model = build(cfg).eval(), build(cfg).eval()
    encoder = [item for item in student.named_children() if item[0] in ('backbone', 'neck')]
    for value in student.parameters():
        nn.init.normal_(value, std=0.05)
    images = torch.randn(1, 3, 64, 64)
    expected = student.extract_feat(images)[-1]
    assert not torch.allclose(model.extract_feat(images)[-1], expected)
    weights = {k: v for k, v in student.state_dict().items() if not k.startswith('decode_head')}
    assert {key.partition('.')[0] for key in weights} == {name for name, _ in encoder}
    # A CLIPS4 checkpoint holds other tensors too.
    saved = dict(state_dict={**weights, 'decode_head.clusterer.rows': torch.ones(2, 3)})
    torch.save(saved, tmp_path / 'student.pth')
    load_checkpoint(model, str(tmp_path / 'student.pth'))
    torch.testing.assert_close(model.extract_feat(images)[-1], expected)


def test_the_probes_recipe_is_that_of_maskcontrast():
    cfg = load('r50_voc_linear-probe')
    epoch = 10582 / cfg.train_dataloader.batch_size
    assert cfg.train_dataloader.batch_size == 16 and cfg.crop_size == (512, 512)
    assert cfg.optim_wrapper.optimizer.type == 'SGD' and cfg.optim_wrapper.optimizer.lr == 0.1
    (schedule,) = cfg.param_scheduler
    assert schedule.milestones == [round(25 * epoch)] and schedule.gamma == 0.1
    # Rounded up to include the last, incomplete batch.
    assert cfg.train_cfg.max_iters == -int(-60 * epoch // 1)


def test_synthetic_probe_uses_students_of_the_synthetic_configs():
    """Same tower, so that weights fit; no class names, no teacher, labels of training scenes."""
    student = Config.fromfile(FOLDER / 'resnet_synthetic.py')
    cfg = load('synthetic_linear-probe')
    assert cfg.model.backbone.type == student.model.backbone.type
    assert cfg.model.backbone.arch == student.model.clip.arch
    assert cfg.train_dataloader.dataset.pipeline[0] == dict(type='LoadSyntheticScene')
    assert cfg.train_dataloader.dataset.split == student.train_dataloader.dataset.split == 'train'
    assert cfg.load_from.endswith(f'iter_{student.train_cfg.max_iters}.pth')
    assert set(cfg.optim_wrapper) == {'type', 'optimizer'}
