"""Dense features of the CLIP towers against golden outputs; aspect ratios, AMP, checkpoints."""

import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from mmseg.registry import MODELS

from mmseg_langseg.models.backbones import CLIPResNet, CLIPTimmTower, CLIPVisionTransformer
from tests import golden

RN_ARCH = dict(
    embed_dim=24,
    vision_cfg=dict(layers=[1, 1, 1, 1], width=8, head_width=8, patch_size=None, image_size=64),
    text_cfg=dict(context_length=77, vocab_size=49408, width=32, heads=2, layers=1),
    quick_gelu=True,
)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weights')
    return dict(vit=golden.vit_file(folder), convnext=golden.convnext_file(folder))


def vit(weights, readout='value_cls', **kwargs):
    return CLIPVisionTransformer(golden.vit_arch(), weights['vit'], readout, **kwargs).eval()


def close(result, expected):
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=0, atol=2e-5)


def channels_last(features):
    return features[0].permute(0, 2, 3, 1)


def normalize(image_u8):
    mean = torch.tensor([122.7709383, 116.7460125, 104.09373615])[:, None, None]
    std = torch.tensor([68.5005327, 66.6321579, 70.3231630])[:, None, None]
    return (torch.from_numpy(image_u8).float() - mean) / std


def test_vit_value_cls_golden(weights):
    arrays = golden.load('pixelclip_vit_features')
    images = torch.from_numpy(arrays['clip_input'])
    tower = vit(weights)
    close(channels_last(tower(images[:, :, :64, :64])), arrays['dense_native'])
    close(channels_last(tower(images)), arrays['dense_full'])
    close(tower.positions(5, 5), arrays['pos_embed_resized'])


@pytest.mark.parametrize('case', ['native', 'square', 'nonsquare'])
def test_vit_value_golden(weights, case):
    arrays = golden.load('dense_variants')
    images = normalize(arrays[f'{case}.image_u8'])
    result = channels_last(vit(weights, 'value')(images))
    close(result, arrays[f'{case}.maskclip_quickgelu_eps1e-5'])


def test_vit_tokens_golden(weights):
    arrays = golden.load('dense_variants')
    result = channels_last(vit(weights, 'tokens')(normalize(arrays['native.image_u8'])))
    close(result, arrays['native.sclip_repo.vanilla'])


def test_convnext_golden(weights):
    arrays = golden.load('pixelclip_convnext')
    images = torch.from_numpy(golden.load('pixelclip_vit_features')['clip_input'])
    tower = CLIPTimmTower(golden.convnext_arch(), weights['convnext']).eval()
    close(channels_last(tower(images)), arrays['dense_full'])
    close(channels_last(tower(images[:, :, :64, :96])), arrays['dense_64x96'])


def test_resnet_is_the_attention_pool_without_attention():
    tower = CLIPResNet(RN_ARCH).eval()
    images = torch.randn(2, 3, 96, 64)
    (dense,) = tower(images)
    assert dense.shape == (2, 24, 3, 2)
    visual = tower.visual
    features = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(images)))))
    pixel = features[1, :, 2, 1]
    value = visual.attnpool.v_proj.weight @ pixel + visual.attnpool.v_proj.bias
    expected = visual.attnpool.c_proj.weight @ value + visual.attnpool.c_proj.bias
    torch.testing.assert_close(dense[1, :, 2, 1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('readout', ['tokens', 'value', 'value_cls'])
def test_a_batch_equals_its_images_and_bfloat16_runs(weights, readout):
    tower = vit(weights, readout)
    images = torch.randn(3, 3, 48, 80)
    (batch,) = tower(images)
    assert batch.shape == (3, 32, 3, 5)
    torch.testing.assert_close(batch[1:2], tower(images[1:2])[0], rtol=1e-4, atol=1e-5)
    with torch.autocast('cpu', torch.bfloat16):
        (low,) = tower(images)
    assert torch.isfinite(low).all()
    assert torch.cosine_similarity(low.float(), batch, dim=1).min() > 0.99


@pytest.mark.parametrize('mode', ['none', 'attention', 'all'])
def test_trainable(weights, mode):
    tower = vit(weights, trainable=mode)
    trained = {n for n, p in tower.named_parameters() if p.requires_grad}
    total = len(list(tower.parameters()))
    assert len(trained) == {'none': 0, 'attention': 3 * 4 + 1, 'all': total}[mode]
    if mode == 'attention':
        assert 'visual.positional_embedding' in trained
        assert 'visual.transformer.resblocks.0.attn.out_proj.bias' in trained
        assert not any('mlp' in name or 'ln_' in name for name in trained)


def test_parameter_count_of_the_real_vit():
    tower = CLIPVisionTransformer('ViT-B-16-quickgelu', trainable='attention')
    assert sum(p.numel() for p in tower.parameters() if p.requires_grad) == 28_499_712


def test_checkpoint_holds_only_what_trains(weights):
    tower = vit(weights, trainable='attention')
    with torch.no_grad():
        for parameter in tower.parameters():
            if parameter.requires_grad:
                parameter.add_(1)
    saved = get_state_dict(tower)
    assert set(saved) == tower.trained_names
    fresh = vit(weights, trainable='none')
    load_state_dict(fresh, {k: v.clone() for k, v in saved.items()}, strict=True)
    for name, value in fresh.named_parameters():
        torch.testing.assert_close(value, dict(tower.named_parameters())[name])


def test_random_weights_are_stored_whole():
    tower = CLIPVisionTransformer(golden.vit_arch())
    assert len(tower.state_dict()) == len(list(tower.parameters()))


def test_checkpoint_of_another_architecture(weights):
    other = dict(golden.vit_arch())
    other['vision_cfg'] = dict(other['vision_cfg'], width=64)
    state = vit(weights, trainable='attention').state_dict()
    with pytest.raises(ValueError, match=r'another architecture.*positional_embedding'):
        CLIPVisionTransformer(other).load_state_dict(state)
    convnext = CLIPTimmTower(golden.convnext_arch())
    with pytest.raises(ValueError, match='not in this tower'):
        convnext.load_state_dict(state)


def test_batch_norm_stays_in_evaluation_mode():
    tower = CLIPResNet(RN_ARCH, trainable='all').train()
    before = tower.visual.bn1.running_mean.clone()
    tower(torch.randn(2, 3, 64, 64))
    assert torch.equal(tower.visual.bn1.running_mean, before)
    assert tower.training and not tower.visual.bn1.training
    free = CLIPResNet(RN_ARCH, trainable='all', norm_eval=False).train()
    assert free.visual.bn1.training


def test_stochastic_depth_switch():
    arch = golden.convnext_arch()
    arch['vision_cfg'] = dict(arch['vision_cfg'], timm_drop_path=0.5)
    images = torch.randn(8, 3, 64, 64)
    torch.manual_seed(0)
    own = CLIPTimmTower(arch).train()
    assert not torch.equal(own(images)[0], own(images)[0])
    off = CLIPTimmTower(arch, drop_path=0.0).train()
    assert torch.equal(off(images)[0], off(images)[0])


@pytest.mark.parametrize(
    'cfg, message',
    [
        (dict(type='CLIPVisionTransformer', arch=RN_ARCH), 'ModifiedResNet.*CLIPImageTower'),
        (dict(type='CLIPVisionTransformer', readout='csa'), "'csa'.*value_cls"),
        (dict(type='CLIPResNet', arch=RN_ARCH, trainable='some'), "'some'.*attention"),
    ],
)
def test_wrong_arguments(cfg, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg)
