"""Frozen tower: hidden from parameter lists, optimizers and (public weights) checkpoints."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from torch import nn

from mmseg_langseg.models.utils import FrozenTower
from tests.tiny import RESNET, VIT

WORLD = dict(
    embed_dim=64,
    vision_cfg=dict(
        timm_model_name='langseg_resnet_tiny', timm_pool='', timm_proj='linear', image_size=64
    ),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=4, layers=2),
)
PUBLIC = dict(type='CLIPTimmTower', arch=WORLD, pretrained='embedded:clip_resnet_tiny_seed0')
RANDOM = dict(type='CLIPVisionTransformer', arch=VIT, readout='value')


class Owner(nn.Module):
    """Module with a student and a frozen teacher."""

    def __init__(self, tower, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.student = nn.Conv2d(3, 4, 1)
        self.teacher = FrozenTower(tower)


def images(size=32):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('tower', [PUBLIC, RANDOM])
def test_no_list_of_parameters_or_modules_holds_it(tower):
    model = Owner({**tower, 'trainable': 'all'})
    assert [name for name, _ in model.named_parameters()] == ['student.weight', 'student.bias']
    assert not list(model.teacher.parameters()) and not list(model.teacher.buffers())
    assert [name for name, _ in model.named_modules()] == ['', 'student', 'teacher']
    assert list(model.teacher.tower.parameters())
    assert not any(parameter.requires_grad for parameter in model.teacher.tower.parameters())


def test_public_weights_are_in_no_checkpoint():
    model = Owner(PUBLIC)
    for saved in (model.state_dict(), get_state_dict(model)):
        assert list(saved) == ['student.weight', 'student.bias']
    other = Owner(PUBLIC, seed=1)
    assert not other.load_state_dict(model.state_dict()).missing_keys
    assert torch.equal(other.teacher(images()), model.teacher(images()))


@pytest.mark.parametrize('tower', [RANDOM, dict(type='CLIPResNet', arch=RESNET)])
def test_random_weights_are_saved_and_restored(tower):
    model, others = Owner(tower), [Owner(tower, seed=1), Owner(tower, seed=2)]
    expected = model.teacher(images(64))
    own = {f'teacher.{key}' for key in model.teacher.tower.state_dict()}
    saved = copy.deepcopy(model.state_dict())
    assert set(saved) == own | {'student.weight', 'student.bias'}
    # MMEngine traverses the module tree itself when it saves and loads.
    assert set(get_state_dict(model)) == set(saved)
    assert not torch.allclose(others[0].teacher(images(64)), expected)
    others[0].load_state_dict(saved)
    load_state_dict(others[1], saved, strict=True)
    for other in others:
        assert torch.equal(other.teacher(images(64)), expected)


def test_missing_random_weights_are_reported():
    model = Owner(RANDOM)
    saved = {key: value for key, value in model.state_dict().items() if 'student' in key}
    missing = Owner(RANDOM, seed=1).load_state_dict(saved, strict=False).missing_keys
    assert set(missing) == {f'teacher.{key}' for key in model.teacher.tower.state_dict()}
    with pytest.raises(RuntimeError, match='teacher'):
        Owner(RANDOM, seed=1).load_state_dict(saved)


def test_it_moves_with_its_owner():
    model = Owner(RANDOM).to(torch.float64)
    kinds = {value.dtype for value in model.teacher.tower.state_dict().values()}
    assert kinds == {torch.float64}
    features = model.teacher(images().double())
    assert features.dtype == torch.float32
    twin = copy.deepcopy(model)
    assert twin.teacher.tower is not model.teacher.tower
    assert torch.equal(twin.teacher(images().double()), features)


def test_it_is_always_in_evaluation_mode():
    model = Owner({**PUBLIC, 'norm_eval': False}).train()
    assert model.teacher.training
    assert not any(module.training for module in model.teacher.tower.modules())


@pytest.mark.parametrize(
    'paramwise',
    [None, dict(norm_decay_mult=0.0, custom_keys={'teacher': dict(lr_mult=2.0)})],
)
def test_no_optimizer_holds_it(paramwise):
    model = Owner(PUBLIC)
    config = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, weight_decay=0.1))
    if paramwise:
        config['paramwise_cfg'] = paramwise
    wrapper = build_optim_wrapper(model, ConfigDict(config))
    held = {id(p) for group in wrapper.optimizer.param_groups for p in group['params']}
    assert held == {id(p) for p in model.student.parameters()}


@pytest.mark.parametrize('tower', [PUBLIC, RANDOM])
def test_rows_are_those_of_the_tower_at_norm_one_without_gradient(tower):
    teacher = Owner(tower).teacher
    inputs = images().requires_grad_()
    features = teacher(inputs)
    assert not features.requires_grad
    raw = teacher.tower(inputs.detach())[-1]
    assert features.shape == raw.shape and raw.shape[1] == teacher.embed_dim
    for place in [(0, 0), (1, -1)]:
        row = raw[1, :, place[0], place[1]]
        torch.testing.assert_close(features[1, :, place[0], place[1]], row / row.norm())
