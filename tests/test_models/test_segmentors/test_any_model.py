"""PixelCLIP and CLIP-S⁴ with image-text models of other kinds than CLIP."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner.checkpoint import get_state_dict
from mmseg.registry import MODELS

from tests.distributed import run_processes
from tests.tiny import clips4_config, loss_of, part_of_batch, pixelclip, training_batch, view_batch
from tests.tiny_timm import arch

KINDS = ['siglip', 'eva', 'pe', 'fastvit']


def model_of(kind, seed=0, **changes):
    backbone = dict(
        type='CLIPImageTower', trainable='all' if kind == 'fastvit' else 'attention', **changes
    )
    preprocessor = dict(type='CLIPDataPreProcessor', input_size=(64, 64))
    return pixelclip(
        seed, arch=arch(kind), backbone=backbone, data_preprocessor=preprocessor
    ).train()


def step(model, seed):
    loss_of(model, training_batch(seed=seed)).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad
    model.zero_grad()


@pytest.mark.parametrize('kind', KINDS)
def test_trains_and_resumes(kind):
    model = model_of(kind)
    before = copy.deepcopy(dict(model.backbone.named_parameters()))
    loss_of(model, training_batch()).backward()
    for name, parameter in model.named_parameters():
        # Every trained parameter needs a gradient, or distributed training would hang.
        assert (parameter.grad is not None) == parameter.requires_grad, name
    model.zero_grad()
    for seed in range(2):
        step(model, seed)
    moved = {n for n, p in model.backbone.named_parameters() if not torch.equal(p, before[n])}
    assert moved and moved <= model.backbone.trained_names
    other = model_of(kind, seed=5)
    other.load_state_dict(copy.deepcopy(get_state_dict(model)))
    batch = training_batch(seed=9)
    torch.testing.assert_close(loss_of(other, batch), loss_of(model, training_batch(seed=9)))


@pytest.mark.parametrize('readout', ['value', 'sclip', 'clearclip', 'naclip'])
@pytest.mark.parametrize('kind', ['siglip', 'eva'])
def test_every_readout_has_a_gradient_for_what_it_trains(kind, readout):
    for trainable in ('attention', 'all'):
        backbone = dict(
            type='CLIPImageTower', arch=arch(kind), readout=readout, trainable=trainable
        )
        tower = MODELS.build(backbone)
        tower(torch.randn(1, 3, 32, 32))[0].square().sum().backward()
        for name, parameter in tower.named_parameters():
            assert (parameter.grad is not None) == parameter.requires_grad, name


def _losses(rank, kind, splits):
    model, batch = model_of(kind), training_batch((3, 0, 4, 1))
    loss = loss_of(model, part_of_batch(batch, splits[rank]))
    loss.backward()
    return loss.detach(), model.decode_head.prompts.tokens.grad


def _all_losses(rank, splits):
    return [_losses(rank, kind, splits) for kind in KINDS]


def test_two_processes_equal_one():
    alone = [_losses(0, kind, [slice(0, 4)]) for kind in KINDS]
    results = run_processes(_all_losses, 2, [slice(0, 3), slice(3, 4)])
    for index, (loss, grad) in enumerate(alone):
        for result in results:
            torch.testing.assert_close(result[index][0], loss)
        mean = (results[0][index][1] + results[1][index][1]) / 2  # DDP averages gradients
        torch.testing.assert_close(mean, grad, rtol=1e-4, atol=1e-6)


def test_clips4_with_another_teacher():
    clip = dict(arch=arch('siglip'), pretrained=None)
    config = clips4_config(clip=clip, teacher=dict(type='CLIPImageTower'))
    config['neck']['embed_dim'] = 32
    model = MODELS.build(ConfigDict(config)).train()
    losses = model(**model.data_preprocessor(view_batch(), True), mode='loss')
    total = sum(value for name, value in losses.items() if name.startswith('loss'))
    total.backward()
    assert torch.isfinite(total) and model.teacher.embed_dim == 32
    assert all(p.grad is not None for p in model.backbone.parameters() if p.requires_grad)
