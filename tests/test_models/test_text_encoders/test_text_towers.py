"""Every kind of text tower against open_clip's own ``encode_text``, and learnable prompts in it."""

import copy

import pytest
import torch
import torch.nn.functional as F

from mmseg_langseg.models.clip_loader import load_clip
from mmseg_langseg.models.text_encoders import ClassPrompts, OpenCLIPTextEncoder, Vocabulary
from mmseg_langseg.models.text_encoders.tokenizers import sentence_layout
from tests.test_models.test_backbones.test_clip_image_tower import COCA
from tests.tiny import VIT
from tests.tiny_timm import BIDIRECTIONAL, SIGLIP, TEXT

SENTENCES = ['cat', "A Dog's tail, in the  scene!", 'a photo of a big red house and a small boat']
WORDS = ['cat', 'dog', 'house', 'red', 'a', 'photo', 'of', 'in', 'the', 'scene', 'x', 'y', 'this']
EOS = dict(TEXT, pool_type='eos', eos_id=2)
TOWERS = {
    'clip': TEXT,
    'siglip': BIDIRECTIONAL,
    'mobileclip': dict(TEXT, no_causal_mask=True),
    'first': dict(TEXT, no_causal_mask=True, pool_type='first'),
    'linear': dict(TEXT, proj_bias=True),
    'coca': COCA['text_cfg'],
}


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-6)


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Folders of tokenizers and a tiny XLM-RoBERTa in the layout of Hugging Face."""
    transformers = pytest.importorskip('transformers')
    tokenizers = pytest.importorskip('tokenizers')
    root = tmp_path_factory.mktemp('hub')
    special = {'pad': '<pad>', 'eos': '</s>', 'bos': '<s>', 'unk': '<unk>'}
    for name, ends in {
        'end': '$A </s>',  # as T5 (SigLIP)
        'both': '<s> $A </s>',  # as RoBERTa
    }.items():
        order = ['<pad>', '<s>', '</s>', '<unk>', *WORDS]
        model = tokenizers.models.WordLevel(
            {word: index for index, word in enumerate(order)}, unk_token='<unk>'
        )
        tokenizer = tokenizers.Tokenizer(model)
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single=ends, special_tokens=[('<s>', 1), ('</s>', 2)]
        )
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            **{f'{kind}_token': token for kind, token in special.items()},
        ).save_pretrained(root / name)
    transformers.XLMRobertaConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=90,
        pad_token_id=0,
    ).save_pretrained(root / 'xlm')
    return root


def build(name, folders=None):
    """Return the arch of a kind of text tower."""
    if name in TOWERS:
        text = TOWERS[name]
    elif name == 'eos':
        text = dict(EOS, vocab_size=20, hf_tokenizer_name=str(folders / 'both'))
    elif name == 'sentencepiece':
        text = dict(BIDIRECTIONAL, vocab_size=20, hf_tokenizer_name=str(folders / 'end'))
    else:
        text = dict(
            hf_model_name=str(folders / 'xlm'),
            hf_tokenizer_name=str(folders / 'both'),
            hf_pooler_type='mean_pooler',
            hf_proj_type='linear',
        )
    return {**copy.deepcopy(VIT), 'text_cfg': copy.deepcopy(text)}


NAMES = [*TOWERS, 'eos', 'sentencepiece', 'huggingface']


def encoder_and_model(name, request):
    folders = None if name in TOWERS else request.getfixturevalue('folders')
    torch.manual_seed(0)
    encoder = OpenCLIPTextEncoder(build(name, folders), batch_size=2)
    model = load_clip(build(name, folders))
    model.text.load_state_dict(encoder.text.state_dict())
    return encoder, model.eval()


def full_ids(encoder, sentences):
    return encoder.tokenizer(list(sentences), context_length=encoder.context_length)


@pytest.mark.parametrize('name', NAMES)
@torch.no_grad()
def test_equals_encode_text_in_the_full_context(name, request):
    encoder, model = encoder_and_model(name, request)
    expected = model.encode_text(full_ids(encoder, SENTENCES))
    expected = expected[0] if isinstance(expected, tuple) else expected
    close(encoder.encode_texts(SENTENCES), F.normalize(expected, dim=-1))
    assert encoder.encode_texts(SENTENCES).shape[1] == encoder.embed_dim


@pytest.mark.parametrize('name', NAMES)
def test_only_what_cannot_matter_is_cut(name, request):
    encoder, _ = encoder_and_model(name, request)
    lengths = []
    encoder.text.register_forward_pre_hook(lambda module, args: lengths.append(args[0].shape[1]))
    encoder.encode_texts(['cat'])
    shortened = name in ('clip', 'linear', 'eos', 'huggingface')
    assert lengths == [3 if shortened else encoder.context_length]


@pytest.mark.parametrize('template', ['a photo of a {} in the scene', '{}', 'this {}'])
@pytest.mark.parametrize('name', NAMES)
def test_prompts_take_the_place_of_words(name, template, request):
    """Against the embedding table with the prompts as new rows, and sentences that name them."""
    encoder, _ = encoder_and_model(name, request)
    prompts = torch.randn(2, 3, encoder.token_width, requires_grad=True)
    got = encoder.encode_prompts(prompts, [template])
    ids, start = sentence_layout(encoder.tokenizer, template, 3, encoder.context_length)
    assert (ids[start : start + 3] == ids[start]).all()
    expected = []
    for prompt in prompts.detach():
        twin, tokens = copy.deepcopy(encoder), ids.clone()
        unused = [i for i in range(encoder.vocab_size) if i not in ids.tolist()][:3]
        for place, row in enumerate(unused):
            with torch.no_grad():
                twin.token_embedding.weight[row] = prompt[place]
            tokens[start + place] = row
        output = twin.text(tokens[None])
        expected.append((output[0] if isinstance(output, tuple) else output)[0])
    close(got, torch.stack(expected))
    got.square().sum().backward()
    assert (prompts.grad.abs().amax((1, 2)) > 0).all()


@pytest.mark.parametrize('name', NAMES)
def test_class_prompts_start_as_words(name, request):
    encoder, _ = encoder_and_model(name, request)
    prompts = ClassPrompts(encoder, num_clusters=2, length=2, words=['cat', 'dog'])
    known = encoder.token_embedding(encoder.word_ids(['cat', 'dog'])).detach()
    assert all((known == token).all(-1).any() for token in prompts.tokens.flatten(0, 1))
    assert prompts(encoder).shape == (2, encoder.embed_dim)


@pytest.mark.parametrize('name', ['clip', 'siglip', 'huggingface'])
def test_too_long_sentences(name, request):
    encoder, _ = encoder_and_model(name, request)
    room = encoder.context_length - {'clip': 2, 'siglip': 2, 'huggingface': 2}[name]
    encoder.encode_prompts(torch.zeros(1, room, encoder.token_width), ['{}'])
    with pytest.raises(ValueError, match=f'takes {encoder.context_length}'):
        encoder.encode_prompts(torch.zeros(1, room + 1, encoder.token_width), ['{}'])
    with pytest.warns(UserWarning, match=f'reads {encoder.context_length} tokens'):
        encoder.encode_vocabulary(Vocabulary.from_names(['cat ' * 80, 'dog']), ['{}'])


def test_the_canonical_form_of_siglip():
    encoder = OpenCLIPTextEncoder(SIGLIP)
    rows = encoder.encode_texts(["A photo of the dog's tail!", 'a photo of the dogs tail'])
    close(rows[0], rows[1])
    assert encoder.logit_bias == -10.0 and encoder.embed_dim == 32


def test_the_cache_knows_the_tokenizer(tmp_path, monkeypatch):
    """Two models that differ in nothing but what their tokenizer does to text."""
    plain = {**VIT, 'text_cfg': {**TEXT, 'tokenizer_kwargs': dict(clean='lower')}}
    encoder = OpenCLIPTextEncoder(plain, cache_dir=tmp_path)
    other = OpenCLIPTextEncoder(plain, cache_dir=tmp_path)
    other.text.load_state_dict(encoder.text.state_dict())
    words = Vocabulary.from_names(["dog's tail", 'cat'])
    rows = encoder.encode_vocabulary(words, 'single')
    assert torch.equal(other.encode_vocabulary(words, 'single'), rows)
    assert len(list(tmp_path.iterdir())) == 1
    other.tokenizer = OpenCLIPTextEncoder(
        {**VIT, 'text_cfg': {**TEXT, 'tokenizer_kwargs': dict(clean='canonicalize')}}
    ).tokenizer
    assert not torch.equal(other.encode_vocabulary(words, 'single')[0], rows[0])
    assert len(list(tmp_path.iterdir())) == 2


def test_missing_tokenizer_and_model(tmp_path, monkeypatch):
    pytest.importorskip('transformers')
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    arch = build('clip')
    arch['text_cfg']['hf_tokenizer_name'] = str(tmp_path / 'nothing')
    with pytest.raises(RuntimeError, match=r'nothing.*is not on this machine.*hf_tokenizer_name'):
        OpenCLIPTextEncoder(arch)
    arch['text_cfg'] = dict(hf_model_name=str(tmp_path / 'nothing'), hf_tokenizer_name='x')
    with pytest.raises(RuntimeError, match=r'nothing.*could not be built.*transformers'):
        load_clip(arch)
