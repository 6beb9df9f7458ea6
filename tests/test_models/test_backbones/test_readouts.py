"""Dense read-outs against the official code of SCLIP, ClearCLIP and NACLIP."""

import pytest
import torch

from mmseg_langseg.models.backbones import READOUTS, CLIPVisionTransformer, DenseReadout
from tests import golden
from tests.test_models.test_backbones.test_clip_towers import channels_last, close, normalize
from tests.tiny import VIT


def attention(*terms, residual=True):
    return dict(type='attention', terms=terms, residual=residual)


GOLDENS = {
    'sclip': 'sclip',
    'clearclip': 'clearclip',
    'naclip': 'naclip',
    'sclip_repo.vanilla': attention('qk'),
    'naclip_repo.reduced.naclip.std1': dict(type='naclip', std=1.0),
    'naclip_repo.reduced.kk': attention('kk', residual=False),
    'naclip_repo.reduced.vanilla': attention('qk', residual=False),
    'naclip_repo.vanilla.naclip': dict(type='naclip', residual=True),
    'naclip_repo.vanilla.kk': attention('kk'),
    'naclip_repo.vanilla.csa': 'sclip',
    'naclip_repo.vanilla.vanilla': attention('qk'),
    'clearclip_repo.ClearCLIP.res': dict(type='clearclip', residual=True),
    'clearclip_repo.SCLIP.nores': dict(type='sclip', residual=False),
    'clearclip_repo.SCLIP.res': 'sclip',
    'clearclip_repo.MaskCLIP.nores': attention(residual=False),
    'clearclip_repo.MaskCLIP.res': attention(),
    'clearclip_repo.vanilla.nores': attention('qk', residual=False),
    'clearclip_repo.vanilla.res': attention('qk'),
}


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden.vit_file(tmp_path_factory.mktemp('weights'))


@pytest.mark.parametrize('name', list(GOLDENS))
@torch.no_grad()
def test_equals_the_official_code(weights, name):
    arrays = golden.load('dense_variants')
    tower = CLIPVisionTransformer(golden.vit_arch(), weights, GOLDENS[name]).eval()
    for case in ('native', 'square', 'nonsquare'):
        features = tower(normalize(arrays[f'{case}.image_u8']))
        close(channels_last(features), arrays[f'{case}.{name}'])


def test_every_variant_of_the_goldens_is_reproduced():
    """MaskCLIP's own are in test_clip_towers.py, and need other layers (exact GELU)."""
    names = {name.partition('.')[2] for name in golden.load('dense_variants') if '.' in name}
    features = {n for n in names if not n.startswith(('maskclip', 'image', 'naclip.addition'))}
    assert features == set(GOLDENS)


def test_the_neighborhood_of_naclip():
    bias = READOUTS.build(dict(type='naclip')).bias((6, 6), torch.zeros(1, 37, 8))
    close(bias, golden.load('dense_variants')['square.naclip.addition'])


@pytest.mark.parametrize('readout', ['sclip', 'clearclip', 'naclip', 'attention'])
@torch.no_grad()
def test_a_batch_equals_its_images_and_bfloat16_runs(weights, readout):
    tower = CLIPVisionTransformer(golden.vit_arch(), weights, readout).eval()
    images = torch.randn(3, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    (together,) = tower(images)
    for image, features in zip(images, together, strict=True):
        torch.testing.assert_close(tower(image[None])[0][0], features, rtol=0, atol=1e-5)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        (rough,) = tower(images)
    assert torch.cosine_similarity(rough.float(), together, dim=1).min() > 0.98


def test_a_readout_is_added_by_registering_it():
    @READOUTS.register_module(name='first_token_of_the_test')
    class FirstToken(DenseReadout):
        def __call__(self, block, tokens, grid):
            return tokens[:, :1].expand_as(tokens)

    try:
        tower = CLIPVisionTransformer(VIT, readout='first_token_of_the_test').eval()
        (features,) = tower(torch.randn(1, 3, 32, 48))
        assert features.shape == (1, 12, 4, 6)
        assert torch.equal(features, features[:, :, :1, :1].expand_as(features))
    finally:
        READOUTS.module_dict.pop('first_token_of_the_test')


@pytest.mark.parametrize(
    'readout, message',
    [
        ('csa', "'csa'.*clearclip.*naclip"),
        (dict(std=1.0), 'expected one of'),
        (dict(type='naclip', std=0.0), 'std=0.0'),
        (dict(type='attention', terms=('qx',)), "'qx'"),
    ],
)
def test_clear_errors(readout, message):
    with pytest.raises((TypeError, ValueError), match=message):
        CLIPVisionTransformer(VIT, readout=readout)
