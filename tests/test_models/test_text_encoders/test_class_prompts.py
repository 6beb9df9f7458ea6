import pytest
import torch
from mmseg.registry import MODELS

from mmseg_langseg.models.text_encoders import ClassPrompts
from mmseg_langseg.models.text_encoders.class_prompts import initial_word_ids
from tests import golden


def test_initial_words_are_the_official_ones(encoder):
    expected = golden.tensor('pixelclip_vit_features', 'init_prompt_word_ids')
    assert torch.equal(initial_word_ids(49408, *expected.shape, seed=0), expected)
    # first rows at the paper's size, from the specification
    ids = initial_word_ids(49408, 64, 4, seed=0)
    assert ids[:2].tolist() == [[11678, 28329, 48497, 33570], [47977, 4569, 25177, 14833]]
    prompts = ClassPrompts(encoder, 64, 4)
    assert torch.equal(prompts.tokens, encoder.token_embedding.weight[ids])
    assert not torch.equal(ClassPrompts(encoder, 64, 4, seed=1).tokens, prompts.tokens)


def test_initial_words_can_be_given(encoder):
    prompts = ClassPrompts(encoder, 6, 4, words=['hoop', 'old', 'hoop'])
    known = encoder.token_embedding.weight[encoder.word_ids(['old', 'hoop'])]
    same = (prompts.tokens[:, :, None] == known).all(-1)
    assert len(known) == 2 and same.any(-1).all()
    assert same.any(0).any(0).all()  # both words occur
    for words in ([], 'old'):
        with pytest.raises(ValueError, match='expected a list of at least one word'):
            ClassPrompts(encoder, 6, 4, words=words)


def test_global_random_state_is_untouched(encoder):
    before = torch.get_rng_state()
    ClassPrompts(encoder)
    assert torch.equal(torch.get_rng_state(), before)


def test_only_the_tokens_are_kept_and_learn(encoder):
    config = {'type': 'ClassPrompts', 'text_encoder': encoder, 'num_clusters': 8}
    prompts = MODELS.build(config)
    assert prompts.num_clusters == 8
    assert list(prompts.state_dict()) == ['tokens']
    assert prompts.tokens.shape == (8, 4, 64)
    prompts(encoder).sum().backward()
    assert prompts.tokens.grad.abs().sum() > 0
    assert encoder.token_embedding.weight.grad is None


def test_forward_golden(encoder):
    prompts = ClassPrompts(encoder, 8, 4)
    prompts.load_state_dict({'tokens': golden.prompt_tokens()})
    expected = golden.tensor('pixelclip_vit_features', 'prompt.text_single')
    torch.testing.assert_close(prompts(encoder).detach(), expected, atol=2e-5, rtol=0)


def test_bad_arguments(encoder):
    with pytest.raises(ValueError, match='num_clusters=0'):
        ClassPrompts(encoder, 0)
    with pytest.raises(ValueError, match='length=0'):
        ClassPrompts(encoder, 2, 0)
    with pytest.raises(ValueError, match='takes 77'):
        ClassPrompts(encoder, 2, 77)
