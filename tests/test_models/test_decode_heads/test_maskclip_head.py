"""MaskCLIP's key smoothing and prompt denoising against pixel loops, and the keys of towers."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from mmseg_langseg.models.backbones import CLIPResNet, CLIPVisionTransformer
from mmseg_langseg.models.decode_heads import MaskCLIPHead
from mmseg_langseg.models.decode_heads.maskclip_head import (
    REMOVED,
    denoise_prompts,
    smooth_by_keys,
)
from tests import golden
from tests.configs import load as load_config
from tests.test_models.test_backbones.test_clip_towers import normalize
from tests.tiny import RESNET, VIT


def head(kind='MaskCLIPHead', arch=VIT, **options):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type=kind,
            text_encoder=dict(type='OpenCLIPTextEncoder', arch=arch, pretrained=None),
            templates='single',
            vocabulary=['cat', 'dog', 'grass', 'sky'],
            **options,
        )
    )


def cosines(seed=0, spread=0.05):
    return spread * torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(seed))


def slow_denoising(scores, threshold, scale):
    result = scores.clone()
    for image in range(len(scores)):
        best = [0.0] * scores.shape[1]
        for y in range(scores.shape[2]):
            for x in range(scores.shape[3]):
                for k, p in enumerate((scale * scores[image, :, y, x]).softmax(0).tolist()):
                    best[k] = max(best[k], p)
        for k, value in enumerate(best):
            if value < threshold and value < max(best):
                result[image, k] = REMOVED
    return result


def slow_smoothing(scores, keys, threshold, scale):
    result = torch.zeros_like(scores)
    places = [(y, x) for y in range(scores.shape[2]) for x in range(scores.shape[3])]
    for image in range(len(scores)):
        own = {at: (scale * scores[(image, slice(None), *at)]).softmax(0) for at in places}
        for here in places:
            total = torch.zeros(scores.shape[1])
            for there in places:
                pair = (keys[(image, slice(None), *at)] for at in (here, there))
                total += torch.cosine_similarity(*pair, dim=0) * own[there]
            sure = own[here].max() >= threshold
            result[(image, slice(None), *here)] = own[here] if sure else total / len(places)
    return result


@pytest.mark.parametrize('threshold', [0.2, 0.5, 0.9, 1.0])
def test_prompt_denoising_is_per_image_over_all_pixels(threshold):
    scores = cosines(spread=0.02)
    result = denoise_prompts(scores, threshold, 50.0)
    assert torch.equal(result, slow_denoising(scores, threshold, 50.0))
    if threshold == 0.9:
        removed = (result == REMOVED).all((2, 3))
        assert 0 < removed.sum() < removed.numel() and not torch.equal(*removed)


def test_the_most_confident_class_always_stays():
    scores = cosines(spread=1e-4)
    kept = denoise_prompts(scores, 1.0)[:, :, 0, 0] > REMOVED
    assert kept.sum(1).tolist() == [1, 1]
    assert torch.equal(kept.int().argmax(1), (100 * scores).softmax(1).amax((2, 3)).argmax(1))


@pytest.mark.parametrize('threshold', [0.6, 0.8, 1.0])
def test_key_smoothing_is_the_loop_over_pairs_of_pixels(threshold):
    scores, keys = cosines(), torch.randn(2, 6, 3, 5, generator=torch.Generator().manual_seed(1))
    result = smooth_by_keys(scores, keys, threshold, 40.0)
    expected = slow_smoothing(scores, keys, threshold, 40.0)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-6)
    sure = (40 * scores).softmax(1).amax(1) >= threshold
    assert sure.any() == (threshold < 1) and (~sure).any()


def test_key_smoothing_corrects_an_odd_pixel_of_an_object():
    # The keys show two objects; one pixel of the first has a slightly higher score for the second.
    keys = torch.eye(2)[:, [0, 0, 0, 0, 1, 1, 1, 1]].view(1, 2, 2, 4)
    scores = torch.tensor([0.02, 0.02, 0.02, -0.005, -0.02, -0.02, -0.02, -0.02])
    scores = torch.stack([scores, -scores]).view(1, 2, 2, 4)
    assert scores.argmax(1).flatten().tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    result = smooth_by_keys(scores, keys, 1.0)
    assert result.argmax(1).flatten().tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_off_by_default_and_equal_to_the_language_head():
    features = torch.randn(2, 12, 4, 6)
    assert torch.equal(head()((features,)), head('LanguageHead')((features,)))


def test_both_options_one_after_the_other_on_the_heads_grid():
    refined = head(key_smoothing=0.9, prompt_denoising=0.3, scale=20.0, feature_size=(3, 5))
    refined.set_logit_offset(torch.tensor([0.1, 0.0, -0.1, 0.05]))
    features, keys = torch.randn(2, 12, 4, 6), torch.randn(2, 7, 4, 6)
    plain = super(MaskCLIPHead, refined).forward((features,))
    keys_on_grid = torch.nn.functional.interpolate(keys, size=(3, 5), mode='bilinear')
    expected = slow_smoothing(slow_denoising(plain, 0.3, 20.0), keys_on_grid, 0.9, 20.0)
    torch.testing.assert_close(refined((keys, features)), expected, rtol=1e-4, atol=1e-6)


def test_keys_of_a_vit_are_those_of_its_last_attention():
    torch.manual_seed(0)
    tower = CLIPVisionTransformer(VIT, readout='value', with_keys=True).eval()
    block, seen = tower.visual.transformer.resblocks[-1], []
    block.ln_1.register_forward_hook(lambda _, __, output: seen.append(output))
    images = torch.randn(2, 3, 24, 40)
    keys, features = tower(images)
    assert keys.shape == (2, 32, 3, 5) and features.shape == (2, 12, 3, 5)
    weight, bias = block.attn.in_proj_weight.chunk(3)[1], block.attn.in_proj_bias.chunk(3)[1]
    token = seen[0][1, 1 + 2 * 5 + 3]
    torch.testing.assert_close(keys[1, :, 2, 3], weight @ token + bias, rtol=1e-4, atol=1e-5)
    tower.with_keys = False
    assert torch.equal(tower(images)[0], features)


@pytest.mark.parametrize('case', ['native', 'nonsquare'])
def test_the_official_activation_and_eps_give_the_official_features(tmp_path, case):
    official = load_config('maskclip/vit-b16_official.py').model.clip.arch
    arch = golden.vit_arch()
    arch.update(quick_gelu=official.quick_gelu)
    arch['vision_cfg'].update(norm_kwargs=official.vision_cfg.norm_kwargs)
    tower = CLIPVisionTransformer(arch, golden.vit_file(tmp_path), 'value').eval()
    arrays = golden.load('dense_variants')
    (features,) = tower(normalize(arrays[f'{case}.image_u8']))
    expected = torch.from_numpy(arrays[f'{case}.maskclip']).permute(0, 3, 1, 2)
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5)


def test_keys_of_a_resnet_are_those_of_its_attention_pool():
    torch.manual_seed(0)
    tower = CLIPResNet(RESNET, with_keys=True).eval()
    images = torch.randn(1, 3, 96, 64)
    keys, features = tower(images)
    pool, seen = tower.visual.attnpool, []
    pool.v_proj.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    tower.with_keys = False
    assert torch.equal(tower(images)[0], features)
    pixel = pool.k_proj.weight @ seen[0][0, 2, 1] + pool.k_proj.bias
    torch.testing.assert_close(keys[0, :, 2, 1], pixel, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('keys', [True, False])
def test_in_a_segmentor(keys):
    model = MODELS.build(
        ConfigDict(
            type='LanguageSegmentor',
            clip=dict(arch=VIT, pretrained=None),
            backbone=dict(type='CLIPVisionTransformer', readout='value', with_keys=keys),
            decode_head=dict(
                type='MaskCLIPHead',
                vocabulary='cat; dog; grass',
                templates='single',
                feature_size=None,
                key_smoothing=1.0,
                prompt_denoising=0.5,
            ),
            test_cfg=dict(mode='whole'),
        )
    ).eval()
    images = torch.randn(1, 3, 24, 40)
    if keys:
        assert model.encode_decode(images, [{}]).shape == (1, 3, 3, 5)
    else:
        with pytest.raises(ValueError, match=r'key_smoothing=1.0.*with_keys=True'):
            model.encode_decode(images, [{}])


@pytest.mark.parametrize('option', ['key_smoothing', 'prompt_denoising'])
@pytest.mark.parametrize('value', [0, 1.5])
def test_wrong_thresholds(option, value):
    with pytest.raises(ValueError, match=rf'{option}={value}.*\(0, 1\]'):
        head(**{option: value})
