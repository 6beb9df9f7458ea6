"""Activation checkpointing (``with_cp``): the same gradients from fewer stored activations."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from torch.autograd.graph import saved_tensors_hooks

from tests import tiny_timm
from tests.tiny import CONV, RESNET, VIT


def build(arch, **options):
    torch.manual_seed(0)
    config = dict(type='CLIPImageTower', arch=arch, trainable='all', **options)
    return MODELS.build(ConfigDict(config)).train()


def gradients(tower, images):
    """Return the gradients by name, and the bytes stored for the backward pass."""
    stored = []

    def count(tensor):
        stored.append(tensor.numel() * tensor.element_size())
        return tensor

    torch.manual_seed(3)  # for stochastic depth
    with saved_tensors_hooks(count, lambda tensor: tensor):
        features = tower(images)[-1]
    features.square().sum().backward()
    found = {n: p.grad for n, p in tower.named_parameters() if p.grad is not None}
    return found, sum(stored)


@pytest.mark.parametrize(
    ('arch', 'options'),
    [
        (VIT, {}),
        (tiny_timm.SIGLIP, {}),
        (tiny_timm.arch('pe'), {}),
        (tiny_timm.arch('fastvit'), {}),
        (CONV, dict(drop_path=0.5)),
    ],
)
def test_same_gradients(arch, options):
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected, plain = gradients(build(arch, **options), images)
    tower = build(arch, with_cp=True, **options)
    got, checkpointed = gradients(tower, images)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
    assert checkpointed < plain
    # Not in evaluation mode, whose graph is exported.
    _, plain = gradients(build(arch, **options).eval(), images)
    assert gradients(tower.eval(), images)[1] == plain


def test_resnet_of_open_clip():
    with pytest.raises(ValueError, match='with_cp=True is for the other towers'):
        build(RESNET, with_cp=True)
