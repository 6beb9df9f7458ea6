"""Documented values of the configs of PixelCLIP."""

import math

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from mmseg.registry import MODELS
from torch import nn

from mmseg_langseg.synthetic.renderer import CLASSES
from tests import golden
from tests.configs import load, tiny_model
from tests.tiny import VIT


@pytest.mark.parametrize(
    'name, scale, size',
    [
        ('vit-b16_coco', 100.0, (320, 320)),
        ('vit-b16_sa1b-dino', 100.0, (320, 320)),
        ('convnext-b_sa1b', 1.0, (640, 640)),
        ('convnext-l_sa1b', 1.0, (640, 640)),
    ],
)
def test_numbers_of_the_official_code(name, scale, size):
    cfg = load(f'pixelclip/{name}.py')
    head = cfg.model.decode_head
    assert (head.prompts.num_clusters, head.prompts.length) == (64, 4)
    assert (head.clusterer.scale, head.clusterer.iterations) == (scale, 3)
    assert cfg.model.momentum == 0.999
    assert cfg.model.data_preprocessor.input_size == size
    assert 8 * cfg.train_dataloader.batch_size == 48
    assert cfg.train_cfg.max_iters == 10000
    assert cfg.optim_wrapper.clip_grad.max_norm == 0.01


def optimized(name, arch):
    """Return name, module and optimizer group of every trained parameter."""
    cfg = load(name)
    model = MODELS.build(tiny_model(cfg, arch))
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert type(wrapper.optimizer) is torch.optim.AdamW
    groups = {id(p): group for group in wrapper.optimizer.param_groups for p in group['params']}
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    assert {id(p) for _, p in trained} == groups.keys()
    return [(n, model.get_submodule(n.rpartition('.')[0]), groups[id(p)]) for n, p in trained]


@pytest.mark.parametrize('tower, data', [('vit-b16', 'coco'), ('convnext-b', 'sa1b')])
def test_each_group_has_its_learning_rate_and_norms_have_no_decay(tower, data):
    arch = VIT if tower == 'vit-b16' else golden.convnext_arch()
    rates = {
        'backbone.visual.': 2e-6,
        'decode_head.prompts.': 2e-3,
        'decode_head.mask_decoder.': 2e-4,
    }
    seen, norms = set(), set()
    for name, module, group in optimized(f'pixelclip/{tower}_{data}.py', arch):
        (prefix,) = [prefix for prefix in rates if name.startswith(prefix)]
        seen.add(prefix)
        assert group['lr'] == pytest.approx(rates[prefix], rel=1e-12), name
        norm = isinstance(module, (nn.LayerNorm, nn.GroupNorm))
        norms.add((prefix, norm))
        assert group['weight_decay'] == (0 if norm else pytest.approx(1e-4)), name
    assert seen == rates.keys()
    # ConvNeXt trains its norms, the ViT does not; the decoder has both kinds of norms.
    assert (('backbone.visual.', True) in norms) == (tower == 'convnext-b')
    assert {('backbone.visual.', False), ('decode_head.mask_decoder.', True)} <= norms


def test_all_norms_of_a_convnext_are_found_at_all_their_places():
    rows = optimized('pixelclip/convnext-b_sa1b.py', golden.convnext_arch())
    places = {n for n, m, _ in rows if isinstance(m, nn.LayerNorm)}
    for part in ('stem.1.weight', 'stages.1.downsample.0.bias', 'blocks.0.norm.weight'):
        assert any(name.endswith(part) for name in places), part
    assert any('trunk.head.norm' in name for name in places)


def test_schedule_falls_as_a_cosine_to_one_half():
    cfg = load('pixelclip/vit-b16_coco.py')
    (scheduler,) = cfg.param_scheduler
    rates = (2e-6, 2e-3, 2e-4)
    optimizer = torch.optim.SGD(
        [dict(params=[nn.Parameter(torch.zeros(1))], lr=lr) for lr in rates], lr=1.0
    )
    scheduler = PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer))
    expected = {0: 1.0, 2500: 0.927, 5000: 0.75, 7500: 0.573, 10000: 0.5}
    for step in range(cfg.train_cfg.max_iters + 1):
        if step in expected:
            exact = 0.75 + 0.25 * math.cos(math.pi * step / 10000)
            assert exact == pytest.approx(expected[step], abs=5e-4)
            for group, lr in zip(optimizer.param_groups, rates, strict=True):
                assert group['lr'] == pytest.approx(exact * lr, rel=1e-6)
        optimizer.step()
        scheduler.step()


def test_fixed_names_are_the_classes_of_the_scenes():
    cfg = load('pixelclip/ablations/synthetic_fixed-names.py')
    assert tuple(cfg.model.decode_head.prompts.names) == CLASSES


def test_free_centroids_are_as_many_as_the_prompts():
    clusters = {
        load(f'pixelclip/{name}.py').model.decode_head.prompts.num_clusters
        for name in ('resnet_synthetic', 'ablations/synthetic_free-centroids')
    }
    assert len(clusters) == 1, clusters
