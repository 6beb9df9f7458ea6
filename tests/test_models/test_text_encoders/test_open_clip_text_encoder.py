import copy
import warnings

import open_clip
import pytest
import torch
import torch.nn.functional as F
from mmengine.runner.checkpoint import get_state_dict
from mmseg.registry import MODELS

from mmseg_langseg.models.clip_loader import load_clip
from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder, Vocabulary, get_templates
from tests import golden

ATOL = 2e-5
NAMES = golden.CONFIG['class_names']


def close(got, expected, atol=ATOL):
    torch.testing.assert_close(got, expected, atol=atol, rtol=0)


@pytest.fixture(scope='module')
def clip(clip_file):
    return load_clip(golden.vit_arch(), clip_file)


def slow_prompts(clip, prompts, templates):
    """Encode one prompt, template and token at a time, in the full context of 77."""
    tokenizer, text = open_clip.SimpleTokenizer(), clip.text
    outputs = torch.zeros(len(prompts), text.text_projection.shape[1])
    for k, prompt in enumerate(prompts):
        for template in templates:
            before, after = template.split('{}')
            ids = [tokenizer.sot_token_id, *tokenizer.encode(before)]
            start = len(ids)
            ids += [0] * len(prompt) + tokenizer.encode(after) + [tokenizer.eot_token_id]
            end = len(ids) - 1
            ids += [0] * (77 - len(ids))
            x = text.token_embedding(torch.tensor([ids]))
            for position, token in enumerate(prompt):
                x[0, start + position] = token
            x = text.transformer(x + text.positional_embedding, attn_mask=text.attn_mask)
            outputs[k] += text.ln_final(x)[0, end] @ text.text_projection / len(templates)
    return outputs


def test_sizes(encoder):
    assert (encoder.embed_dim, encoder.token_width) == (32, 64)
    assert (encoder.vocab_size, encoder.context_length) == (49408, 77)
    assert encoder.logit_scale == pytest.approx(1 / 0.07, rel=1e-3)


@pytest.mark.parametrize('name', ['single', 'imagenet_select'])
@pytest.mark.parametrize('tower', ['vit', 'convnext'])
def test_vocabulary_golden(encoder, tower, name, tmp_path):
    if tower == 'convnext':
        file = golden.convnext_file(tmp_path)
        encoder = OpenCLIPTextEncoder(golden.convnext_arch(), file)
    gold = 'pixelclip_vit_features' if tower == 'vit' else 'pixelclip_convnext'
    vocabulary = Vocabulary.from_names(NAMES)
    rows = encoder.encode_vocabulary(vocabulary, name)
    close(rows, golden.tensor(gold, f'text.{name}.classifier'))
    features = golden.tensor(gold, f'text.{name}.features')
    for index, template in enumerate(get_templates(name)):
        close(encoder.encode_vocabulary(vocabulary, [template]), features[:, index])


def test_tokens_golden(encoder):
    words = Vocabulary.from_names(NAMES).rows
    texts = [t.format(w) for row in words for t in get_templates('imagenet_select') for w in row]
    expected = golden.tensor('pixelclip_vit_features', 'text.imagenet_select.tokens')
    assert torch.equal(encoder.tokenizer(texts, context_length=77), expected)


def test_texts_are_those_of_open_clip(encoder, clip):
    texts = [*golden.CONFIG['captions'], *(f'thing {"very " * n}' for n in range(9)), 'x ' * 200]
    rows = encoder.encode_texts(texts)  # several batches of unequal length
    with torch.no_grad():
        expected = clip.encode_text(open_clip.tokenize(texts), normalize=True)
    close(rows, expected)
    assert rows.dtype == torch.float32 and not rows.requires_grad


def test_batches_hold_sentences_of_similar_length(encoder):
    short = [f'a {word}' for word in ('cat', 'dog', 'bus', 'car', 'sea', 'sky', 'bed')]
    long = [f'a photo of the very large {text}, seen from a hill' for text in short]
    texts = [text for pair in zip(long, short, strict=True) for text in pair]
    alone = torch.cat([encoder.encode_texts([text]) for text in texts])
    lengths = []
    handle = encoder.text.register_forward_pre_hook(
        lambda module, args: lengths.append(args[0].shape[1])
    )
    close(encoder.encode_texts(texts), alone, atol=1e-6)
    handle.remove()
    assert lengths == [4, 15]


def test_vocabulary_against_slow_reference(encoder, clip):
    vocabulary = Vocabulary.from_names(['cat, kitten, tabby', 'dog'], ['sky', 'red wall, bricks'])
    templates = ['a {}.', 'many {} here', 'art of the {}.']
    expected = []
    for words in (['cat', 'kitten', 'tabby'], ['dog'], ['sky'], ['red wall', 'bricks']):
        means = []
        for template in templates:
            tokens = open_clip.tokenize([template.format(word) for word in words])
            with torch.no_grad():
                mean = F.normalize(clip.encode_text(tokens), dim=1).mean(0)
            means.append(F.normalize(mean, dim=0))
        expected.append(F.normalize(torch.stack(means).mean(0), dim=0))
    close(encoder.encode_vocabulary(vocabulary, templates), torch.stack(expected))


@pytest.mark.parametrize('tower', ['vit', 'convnext'])
def test_prompts_golden(encoder, tower, tmp_path):
    gold = 'pixelclip_vit_features'
    if tower == 'convnext':
        encoder = OpenCLIPTextEncoder(golden.convnext_arch(), golden.convnext_file(tmp_path))
        gold = 'pixelclip_convnext'
    got = encoder.encode_prompts(golden.prompt_tokens(tower == 'convnext'))
    close(got, golden.tensor(gold, 'prompt.text_single'))


def test_prompts_in_several_templates(encoder, clip):
    prompts = golden.prompt_tokens()
    with torch.no_grad():
        expected = slow_prompts(clip, prompts, get_templates('imagenet_select'))
        got = encoder.encode_prompts(prompts, 'imagenet_select')
    close(got, expected)
    # the official code mixes one template's words with another's positions (its bug, not ours)
    released = golden.tensor('pixelclip_vit_features', 'prompt.text_ensemble')
    assert (got - released).abs().max() > 0.01


def test_prompts_that_are_words_give_the_sentence(encoder):
    tokenizer = open_clip.SimpleTokenizer()
    for template in (*get_templates('imagenet_select'), '{}', '{} there'):
        ids = torch.tensor([tokenizer.encode('big red cat')])
        got = encoder.encode_prompts(encoder.token_embedding(ids), [template])
        expected = encoder.encode_texts([template.format('big red cat')])
        close(F.normalize(got, dim=-1), expected)


def test_gradients_reach_prompts_only(encoder):
    prompts = golden.prompt_tokens().requires_grad_()
    encoder.encode_prompts(prompts, ['a {}.', 'the {} there']).square().sum().backward()
    assert (prompts.grad.abs().amax((1, 2)) > 0).all()
    assert all(p.grad is None and not p.requires_grad for p in encoder.parameters())


def test_bad_prompts(encoder):
    with pytest.raises(ValueError, match=r'expected \(K, L, 64\)'):
        encoder.encode_prompts(torch.zeros(2, 4, 32))
    with pytest.raises(ValueError, match=r'needs 78 tokens.*takes 77'):
        encoder.encode_prompts(torch.zeros(1, 69, 64))
    encoder.encode_prompts(torch.zeros(1, 68, 64))


def test_float32_under_autocast(encoder):
    prompts = golden.prompt_tokens()
    expected = encoder.encode_prompts(prompts)
    with torch.autocast('cpu', torch.bfloat16):
        got = encoder.encode_prompts(prompts)
        rows = encoder.encode_texts(['cat'])
    assert got.dtype == rows.dtype == torch.float32
    assert torch.equal(got, expected)


def test_always_in_evaluation_mode(encoder):
    assert not encoder.train().training
    assert not any(module.training for module in torch.nn.Sequential(encoder).train()[0].modules())


@pytest.mark.parametrize('save', [torch.nn.Module.state_dict, get_state_dict])
def test_public_weights_are_not_saved(encoder, save):
    parent = torch.nn.Sequential(copy.deepcopy(encoder), torch.nn.Linear(2, 2))
    state = save(parent)
    assert set(state) == {'1.weight', '1.bias'}
    before = parent[0].encode_texts(['cat'])
    assert not any(parent.load_state_dict(state, strict=True))
    assert torch.equal(parent[0].encode_texts(['cat']), before)


def test_random_weights_are_saved():
    first, second = (OpenCLIPTextEncoder(golden.vit_arch()) for _ in range(2))
    assert not torch.allclose(first.encode_texts(['cat']), second.encode_texts(['cat']), atol=1e-3)
    assert second.load_state_dict({}, strict=False).missing_keys
    second.load_state_dict(first.state_dict(), strict=True)
    assert torch.equal(first.encode_texts(['cat']), second.encode_texts(['cat']))


def test_cache(clip_file, tmp_path, monkeypatch):
    folder = tmp_path / 'deep' / 'cache'

    def build(**changes):
        arch = {**golden.vit_arch(), **changes}
        return OpenCLIPTextEncoder(arch, clip_file, cache_dir=folder)

    words = Vocabulary.from_names(NAMES)
    encoder = build()
    rows = encoder.encode_vocabulary(words, 'single')
    assert [path.suffix for path in folder.iterdir()] == ['.pt']

    with monkeypatch.context() as patch:
        patch.setattr(OpenCLIPTextEncoder, 'encode_texts', None)  # the text tower must not run
        assert torch.equal(build().encode_vocabulary(words, 'single'), rows)
        renamed = Vocabulary.from_names(NAMES[::-1])
        for miss in ((renamed, 'single'), (words, 'vild'), (words, ['a {}'])):
            with pytest.raises(TypeError):
                encoder.encode_vocabulary(*miss)
        with pytest.raises(TypeError):
            build(quick_gelu=False).encode_vocabulary(words, 'single')
        with torch.no_grad():
            encoder.text.ln_final.bias[0] += 1
        with pytest.raises(TypeError):
            encoder.encode_vocabulary(words, 'single')


@pytest.mark.parametrize('damage', ['cut', 'shape', 'nan', 'other'])
def test_broken_cache_file_is_rebuilt_with_a_warning(clip_file, tmp_path, damage):
    encoder = OpenCLIPTextEncoder(golden.vit_arch(), clip_file, cache_dir=tmp_path)
    words = Vocabulary.from_names(NAMES)
    rows = encoder.encode_vocabulary(words, 'single')
    (path,) = tmp_path.iterdir()
    if damage == 'cut':
        path.write_bytes(path.read_bytes()[:100])
    else:
        bad = {'shape': rows[:2], 'nan': rows * float('nan'), 'other': {'a': 1}}[damage]
        torch.save(bad, path)
    with pytest.warns(UserWarning, match='rebuilt'):
        assert torch.equal(encoder.encode_vocabulary(words, 'single'), rows)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert torch.equal(encoder.encode_vocabulary(words, 'single'), rows)
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_cache_only_warns(clip_file, tmp_path):
    (tmp_path / 'file').write_text('')
    encoder = OpenCLIPTextEncoder(golden.vit_arch(), clip_file, cache_dir=tmp_path / 'file')
    with pytest.warns(UserWarning, match='not written'):
        encoder.encode_vocabulary(Vocabulary.from_names(NAMES), 'single')


def test_linear_projection_and_registry():
    arch = golden.vit_arch()
    arch['text_cfg'].update(proj_bias=True)
    encoder = MODELS.build({'type': 'OpenCLIPTextEncoder', 'arch': arch})
    assert encoder.embed_dim == 32
    assert encoder.encode_texts(['cat']).shape == (1, 32)
