"""Warnings about class names that are truncated or unknown to the bundled CLIP."""

import warnings

import pytest

from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder, Vocabulary
from mmseg_langseg.models.text_encoders.word_warnings import warn_of_cut_words
from mmseg_langseg.synthetic.renderer import CLASSES
from mmseg_langseg.synthetic.words import FILLERS, SYNONYMS
from tests.test_synthetic.test_tiny_clip import ARCH

LONG = ' '.join(['very'] * 80) + ' cat'


@pytest.fixture(scope='module')
def embedded():
    return OpenCLIPTextEncoder(ARCH, 'embedded:clip_resnet_tiny_seed0')


def encode(encoder, *names, templates='single'):
    return encoder.encode_vocabulary(Vocabulary.from_names(names), templates)


def test_a_cut_word_is_named_with_what_is_left(encoder):
    with pytest.warns(UserWarning, match=r"77 tokens.*'very.*cat'.* has 90.*'a photo of a very"):
        rows = encode(encoder, 'dog', LONG)
    # The end of the name is lost: names that differ only there get equal embeddings.
    with pytest.warns(UserWarning, match='only'):
        assert rows[1].equal(encode(encoder, 'dog', LONG.replace('cat', 'dog house'))[1])


@pytest.mark.parametrize(('tokens', 'is_cut'), [(68, False), (69, True)])
def test_the_template_counts(encoder, tokens, is_cut):
    # 'A photo of a ... in the scene' has 7 tokens, start and end add 2.
    word = ' '.join(['cat'] * tokens)
    assert len(encoder.tokenizer.encode(f'A photo of a {word} in the scene')) == tokens + 7
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        encode(encoder, word, 'dog')
    assert bool(caught) is is_cut


@pytest.mark.parametrize('word', ['雪' * 40, 'İ' * 40])
def test_words_that_take_more_tokens_than_characters_are_counted(encoder, word):
    with pytest.warns(UserWarning, match='77 tokens'):
        warn_of_cut_words([word], ['a {}'], encoder.tokenizer, 77)


def test_many_cut_words_are_counted(encoder):
    with pytest.warns(UserWarning, match='and 3 more'):
        encode(encoder, *(f'{LONG} {number}' for number in range(8)))


def test_the_bundled_clip_says_what_it_does_not_know(embedded):
    with pytest.warns(
        UserWarning, match="seed0.*does not know 'zebra'; 'skyscraper'; 'ring zebra'"
    ):
        encode(embedded, 'ring', 'zebra, skyscraper', 'star', 'ring zebra')


@pytest.mark.parametrize('templates', ['single', 'imagenet_select'])
def test_the_bundled_clip_knows_its_own_words(embedded, templates):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        encode(embedded, *CLASSES, templates=templates)
        words = {word for words in SYNONYMS.values() for word in words} | set(FILLERS)
        encode(embedded, *sorted(words - set(CLASSES)))


def test_other_clips_know_all_words(encoder):
    assert encoder.trained_token_ids is None
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        encode(encoder, 'zebra', 'skyscraper')
