"""Dense features of every kind of image tower: what the model's own pooling gives for one token."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from mmseg_langseg.models.backbones import (
    CLIPResNet,
    CLIPTimmTower,
    CLIPTimmVisionTransformer,
    CLIPVisionTransformer,
    tower_class,
)
from mmseg_langseg.models.clip_loader import load_clip
from tests import tiny_timm
from tests.tiny import CONV, RESNET, VIT

VITS = [kind for kind in tiny_timm.KINDS if kind != 'fastvit']
COCA = {
    **VIT,
    'vision_cfg': {**VIT['vision_cfg'], 'attentional_pool': True, 'attn_pooler_heads': 2},
    'text_cfg': {**VIT['text_cfg'], 'embed_cls': True, 'output_tokens': True},
}
READOUTS = ['tokens', 'value', 'sclip', 'clearclip', 'naclip']


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-5)


def build(arch, **options):
    torch.manual_seed(0)
    return MODELS.build(ConfigDict(type='CLIPImageTower', arch=arch, **options)).eval()


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('kind', VITS)
@torch.no_grad()
def test_each_patch_is_pooled_alone(kind):
    tower = build(tiny_timm.arch(kind), readout='tokens')
    trunk, images = tower.visual.trunk, noise(2, 3, 40, 24)
    (features,) = tower(images)
    assert features.shape == (2, tower.embed_dim, 5, 3)
    tokens = trunk.forward_features(images)[:, trunk.num_prefix_tokens :]
    for image in range(2):
        for place in range(15):
            alone = tokens[image, place][None, None]
            if trunk.attn_pool is None:
                pooled = trunk.head(trunk.fc_norm(alone[:, 0]))
            else:
                pooled = trunk.forward_head(alone)
            close(features[image, :, place // 3, place % 3], tower.visual.head(pooled)[0])


@pytest.mark.parametrize('kind', VITS)
@torch.no_grad()
def test_the_native_size_is_that_of_the_library(kind):
    """Positions that can be resized give the model's own embedding at its own size."""
    torch.manual_seed(3)
    untouched = load_clip(tiny_timm.arch(kind)).eval()
    tower = build(tiny_timm.arch(kind))
    tower.visual.load_state_dict(untouched.visual.state_dict())
    images = noise(2, 3, 32, 32)
    close(tower.visual(images), untouched.encode_image(images))


@pytest.mark.parametrize('kind', VITS)
@torch.no_grad()
def test_parts_of_the_last_block_make_the_block(kind):
    plain = build(tiny_timm.arch(kind), readout='tokens')
    parts = build(tiny_timm.arch(kind), readout=dict(type='attention', terms=('qk',)))
    parts.load_state_dict(plain.state_dict())
    images = noise(1, 3, 24, 40)
    close(parts(images)[0], plain(images)[0])


@pytest.mark.parametrize('kind', VITS)
@torch.no_grad()
def test_value_readout_is_attention_to_oneself(kind):
    """One token attends to itself only, so that a model of one patch has nothing else to read."""
    value = build(tiny_timm.arch(kind), readout='value')
    images = noise(1, 3, 24, 40)
    oneself = build(tiny_timm.arch(kind), readout=dict(type='attention', terms=()))
    oneself.load_state_dict(value.state_dict())
    close(value(images)[0], oneself(images)[0])
    if value.visual.trunk.num_prefix_tokens == 0:
        whole = build(tiny_timm.arch(kind), readout='tokens')
        whole.load_state_dict(value.state_dict())
        patch = noise(1, 3, 8, 8)
        close(value(patch)[0], whole(patch)[0])
        close(whole(patch)[0][:, :, 0, 0], whole.visual(patch))


@torch.no_grad()
def test_pixels_of_a_feature_map_are_pooled_alone():
    tower = build(tiny_timm.arch('fastvit'))
    assert isinstance(tower, CLIPTimmTower)
    images = noise(2, 3, 96, 64)
    (features,) = tower(images)
    maps = tower.visual.trunk.forward_features(images)
    assert features.shape[2:] == maps.shape[2:] and min(maps.shape[2:]) > 1
    for row in range(maps.shape[2]):
        for column in range(maps.shape[3]):
            pixel = maps[:, :, row : row + 1, column : column + 1]
            close(features[:, :, row, column], tower.visual.trunk.forward_head(pixel))


@torch.no_grad()
def test_attention_pool_of_open_clip():
    tower = build(COCA, readout='tokens')
    (features,) = tower(noise(2, 3, 32, 32))
    visual, read = tower.visual, []
    handle = visual.attn_pool.register_forward_pre_hook(lambda module, args: read.append(args[0]))
    pooled = visual(noise(2, 3, 32, 32))
    handle.remove()
    assert pooled.shape == (2, 12)
    for place in range(16):
        alone = visual.ln_post(visual.attn_pool(read[0][:, 1 + place, None]))[:, 0] @ visual.proj
        close(features.flatten(2)[:, :, place], alone)


@pytest.mark.parametrize('readout', READOUTS)
@pytest.mark.parametrize('kind', ['siglip', 'eva', 'pe'])
@torch.no_grad()
def test_a_batch_equals_its_images_and_bfloat16_runs(kind, readout):
    tower = build(tiny_timm.arch(kind), readout=readout, with_keys=True)
    images = noise(3, 3, 29, 50)  # pixels after the last patch are not read
    keys, features = tower(images)
    assert keys.shape == (3, 32, 3, 6) and features.shape == (3, tower.embed_dim, 3, 6)
    close(features, tower(images[:, :, :24, :48])[1])
    for image, expected in zip(images, features, strict=True):
        close(tower(image[None])[1][0], expected)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        rough = tower(images)[1]
    assert torch.cosine_similarity(rough.float(), features, dim=1).min() > 0.98


def test_the_class_of_every_kind():
    assert tower_class(VIT) is tower_class('ViT-B-16') is CLIPVisionTransformer
    assert tower_class(RESNET) is tower_class('RN50') is CLIPResNet
    assert tower_class(CONV) is tower_class('convnext_base_w') is CLIPTimmTower
    assert tower_class('MobileCLIP2-S2') is CLIPTimmTower
    for name in ('ViT-B-16-SigLIP2', 'EVA02-B-16', 'PE-Core-T-16-384', 'ViTamin-S'):
        assert tower_class(name) is CLIPTimmVisionTransformer


def test_default_readouts():
    defaults = {kind: type(build(tiny_timm.arch(kind)).readout).__name__ for kind in VITS}
    assert defaults == {
        'siglip': 'TokensReadout',
        'eva': 'ValueReadout',
        'eva_postnorm': 'ValueReadout',
        'pe': 'TokensReadout',
        'registers': 'TokensReadout',
        'hybrid': 'TokensReadout',
    }


def test_attention_is_trained():
    tower = build(tiny_timm.SIGLIP, trainable='attention')
    trained = {name.split('.')[-2] for name in tower.trained_names}
    assert 'qkv' in trained and 'kv' in trained and 'fc1' in trained  # the MLP of the pool
    assert 'visual.trunk.pos_embed' in tower.trained_names
    assert not any('patch_embed' in name or '.mlp.fc1' in name.replace('attn_pool.mlp', '')
                   for name in tower.trained_names)  # fmt: skip
    tower.train()(noise(1, 3, 32, 32))[0].square().sum().backward()
    trained = [p for n, p in tower.named_parameters() if n in tower.trained_names]
    unused = [p for p in trained if p.grad is None]
    assert len(unused) <= 1  # the latent query of the pool, whose softmax over one key is 1


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(arch=tiny_timm.SIGLIP, readout='value_cls'), 'class token'),
        (dict(arch=CONV, readout='value'), 'readout.*for ViTs.*remove readout'),
        (dict(arch=CONV, trainable='attention'), 'TimmModel has no attention'),
        (dict(arch='vit_relpos_medium_patch16_cls_224'), 'VisionTransformerRelPos.*unknown'),
        (dict(arch='swin_base_patch4_window7_224'), 'windows of fixed size'),
        (dict(arch='ViT-B-99'), "no model 'ViT-B-99'"),
    ],
)
def test_clear_errors(config, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(ConfigDict(type='CLIPImageTower', **config))
