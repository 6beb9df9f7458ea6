import json

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_langseg.models.text_encoders import Vocabulary


def build(encoder, **kwargs):
    return MODELS.build({'type': 'FixedNames', 'text_encoder': encoder, **kwargs})


@pytest.mark.parametrize('form', ['list', 'string', 'json'])
def test_rows_are_the_text_of_the_names(encoder, form, tmp_path):
    names = ['cat', 'dog, puppy', 'tree']
    path = tmp_path / 'names.json'
    path.write_text(json.dumps({'classes': names}))
    given = {'list': names, 'string': 'cat; dog, puppy; tree', 'json': str(path)}[form]
    module = build(encoder, names=given)
    expected = encoder.encode_vocabulary(Vocabulary.from_names(names), 'single')
    assert module.num_clusters == 3
    assert torch.equal(module(encoder), expected)


def test_nothing_learns_and_nothing_is_saved(encoder):
    module = build(encoder, names=['cat', 'dog'], templates='imagenet_select')
    assert not list(module.parameters())
    assert not module.state_dict()


def test_background_words_are_refused(encoder):
    words = Vocabulary.from_names(['cat'], ['sky'])
    with pytest.raises(ValueError, match='background'):
        build(encoder, names=words)
