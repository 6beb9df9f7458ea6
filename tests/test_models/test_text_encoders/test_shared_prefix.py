"""Prompts that share the beginning of their sentence, against each sentence on its own."""

import pytest
import torch

from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder, open_clip_text_encoder
from mmseg_langseg.models.text_encoders.shared_prefix import can_share_prefix
from tests.tiny import VIT
from tests.tiny_timm import BIDIRECTIONAL, TEXT

TOWERS = {
    'projection': TEXT,
    'linear projection': dict(TEXT, proj_bias=True),
    'no projection': dict(TEXT, width=12, heads=2, proj_type='none'),
    'layer scale': dict(TEXT, layers=3, ls_init_value=0.5),
    'end of sentence': dict(TEXT, pool_type='eos', eos_id=49407),
}


def _encoder(text):
    torch.manual_seed(0)
    return OpenCLIPTextEncoder({**VIT, 'text_cfg': text})


@pytest.mark.parametrize('name', TOWERS)
@pytest.mark.parametrize('template', ['a photo of a {} in the scene', '{}', '{}.'])
def test_embeddings_and_gradients_are_those_of_whole_sentences(name, template, monkeypatch):
    encoder = _encoder(TOWERS[name])
    assert can_share_prefix(encoder.text)
    prompts = torch.randn(5, 3, encoder.token_width, requires_grad=True)
    shared = encoder.encode_prompts(prompts, [template])
    monkeypatch.setattr(open_clip_text_encoder, 'can_share_prefix', lambda text: False)
    whole = encoder.encode_prompts(prompts, [template])
    torch.testing.assert_close(shared, whole, rtol=0, atol=2e-6)
    weight = torch.randn_like(whole)
    (gradient,) = torch.autograd.grad((shared * weight).sum(), prompts)
    (expected,) = torch.autograd.grad((whole * weight).sum(), prompts)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    'text', [BIDIRECTIONAL, dict(TEXT, pool_type='last'), dict(TEXT, embed_cls=True)]
)
def test_other_towers_encode_whole_sentences(text):
    assert not can_share_prefix(_encoder(text).text)
