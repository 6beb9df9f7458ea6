import pytest
import timm
import torch
from mmseg.registry import MODELS
from torch import nn
from torch.nn import functional as F

from mmseg_langseg.masks.generators import DINOMaskGenerator, dino

TINY = 'test_vit'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('dino') / 'tiny.pth'
    torch.save(timm.create_model(TINY, num_classes=0).state_dict(), path)
    return str(path)


def build(checkpoint=None, **kwargs):
    cfg = dict(type='DINOMaskGenerator', model_name=TINY, pretrained=False, num_clusters=5)
    return MODELS.build({**cfg, 'checkpoint': checkpoint, **kwargs})


def test_masks_are_disjoint_cover_the_image_and_follow_the_patches(checkpoint):
    generator = build(checkpoint)
    images = torch.randn(3, 3, 160, 96)
    masks = generator(images, (40, 24))
    assert masks.shape == (3, 5, 40, 24) and masks.dtype == torch.bool
    assert (masks.sum(1) == 1).all()
    # Patches are 16 pixels wide, so 4 mask pixels share one patch.
    blocks = masks.view(3, 5, 10, 4, 6, 4)
    assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))


def test_equals_direct_k_means_on_imagenet_normalized_tokens(checkpoint):
    rgb = torch.randint(0, 256, (1, 3, 96, 96)).float()
    generator = build(checkpoint, num_clusters=2, max_iterations=100)
    vit = timm.create_model(
        TINY, num_classes=0, dynamic_img_size=True, checkpoint_path=checkpoint
    ).eval()

    def normalize(mean, std):
        return (rgb - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)

    with torch.no_grad():
        tokens = vit.forward_features(
            normalize([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
        )[0, 1:]
    own, grid = generator._patch_tokens(
        normalize([122.7709383, 116.7460125, 104.09373615], [68.5005327, 66.6321579, 70.3231630])
    )
    assert grid == (6, 6)
    assert torch.allclose(own[0], tokens, atol=1e-4)
    masks = generator(
        normalize([122.7709383, 116.7460125, 104.09373615], [68.5005327, 66.6321579, 70.3231630]),
        (6, 6),
    )
    # A fixed point of k-means: every token is closest to the mean of its own mask.
    means = torch.stack([tokens[mask.flatten()].mean(0) for mask in masks[0]])
    nearest = torch.cdist(tokens, means).argmin(1)
    assert torch.equal(F.one_hot(nearest, 2).T.bool(), masks[0].flatten(1))


def test_stays_frozen_and_in_eval_mode(checkpoint):
    model = nn.Sequential(build(checkpoint)).train()
    assert not any(module.training for module in model[0].modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model[0](torch.randn(1, 3, 96, 96), (6, 6)).requires_grad


def test_public_weights_are_not_saved_and_not_missed(checkpoint):
    from mmengine.runner.checkpoint import get_state_dict, load_state_dict

    model = nn.ModuleDict(dict(head=nn.Linear(2, 2), dino=build(checkpoint)))
    assert set(model.state_dict()) == {'head.weight', 'head.bias'}
    assert set(get_state_dict(model)) == {'head.weight', 'head.bias'}
    before = model['dino'].vit.norm.weight.clone()
    model.load_state_dict(model.state_dict(), strict=True)
    load_state_dict(model, model.state_dict(), strict=True)
    assert torch.equal(model['dino'].vit.norm.weight, before)
    with pytest.raises(RuntimeError, match=r'head\.weight'):
        model.load_state_dict({'head.bias': torch.zeros(2)}, strict=True)


def test_random_weights_are_saved():
    model = build()
    assert any(key.startswith('vit.') for key in model.state_dict())
    with pytest.raises(RuntimeError, match=r'vit\.'):
        model.load_state_dict({}, strict=True)


def test_image_sides_need_not_be_multiples_of_the_patch(checkpoint):
    assert build(checkpoint)(torch.randn(1, 3, 100, 90), (30, 30)).shape == (1, 5, 30, 30)


def test_too_small_image_is_an_error(checkpoint):
    with pytest.raises(ValueError, match='use a larger image or fewer clusters'):
        build(checkpoint)(torch.randn(1, 3, 32, 32), (8, 8))


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(model_name='vit_of_nobody'), "does not know the model 'vit_of_nobody'"),
        (dict(model_name='test_resnet'), 'is not a vision transformer'),
        (dict(checkpoint='gone.pth'), "file 'gone.pth'.*set 'checkpoint' to the file"),
    ],
)
def test_bad_models_are_named(changes, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        build(**changes)


def test_weights_of_another_model_are_named(tmp_path):
    torch.save({'other.weight': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(RuntimeError, match=r'other\.pth'):
        build(str(tmp_path / 'other.pth'))


def test_failed_download_is_named(monkeypatch):
    def fail(*_, **__):
        raise OSError('no network')

    monkeypatch.setattr(timm, 'create_model', fail)
    monkeypatch.setattr(dino.constants, 'HF_HUB_OFFLINE', False)
    monkeypatch.setattr(dino, 'host_obstacle', lambda host: None)
    with pytest.raises(RuntimeError, match="public weights of 'test_vit': no network"):
        DINOMaskGenerator(TINY)


def test_without_network_the_error_names_the_file_at_once(monkeypatch):
    def fail(*_, **__):
        raise AssertionError('tried to download')

    monkeypatch.setattr(timm, 'create_model', fail)
    message = 'HF_HUB_OFFLINE is set.*Fetch .*timm/.*model.safetensors.*--options checkpoint=PATH'
    with pytest.raises(RuntimeError, match=f'(?s){message}'):
        DINOMaskGenerator('vit_small_patch16_224.dino')
    monkeypatch.setattr(dino.constants, 'HF_HUB_OFFLINE', False)
    monkeypatch.setattr(dino, 'host_obstacle', lambda host: f'{host} does not answer')
    with pytest.raises(RuntimeError, match=r'https://\S+ does not answer'):
        DINOMaskGenerator('vit_small_patch16_224.dino')
    monkeypatch.setattr(dino.huggingface_hub, 'try_to_load_from_cache', lambda *_: 'a.safetensors')
    with pytest.raises(AssertionError, match='tried'):
        DINOMaskGenerator('vit_small_patch16_224.dino')
