import numpy as np
import pytest
from mmengine.config import Config

from mmseg_langseg.analysis import embed_prompts, embed_words, find_words
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.tiny import pixelclip

SENTENCE = ['a picture of {}']
PROMPTS = {
    'ClassPrompts': dict(num_clusters=4, length=1, templates=SENTENCE),
    'FreeCentroids': dict(num_clusters=4),
    'FixedNames': dict(names='cat; dog; tree; grass', templates=SENTENCE),
}


@pytest.mark.parametrize('kind', PROMPTS)
def test_prompts_and_words_are_in_the_same_space(kind):
    head = pixelclip(prompts=dict(type=kind, **PROMPTS[kind]), templates=SENTENCE).decode_head
    rows = embed_prompts(head)
    assert rows.shape == (4, 12) and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    words = embed_words(head, Vocabulary.from_string('cat; dog; tree; grass'))
    assert words.words == ('cat', 'dog', 'tree', 'grass')
    if kind == 'ClassPrompts':
        # A prompt with the token of a word is that word.
        ids = head.text_encoder.tokenizer(list(words.words))[:, 1:2]
        head.prompts.tokens.data = head.text_encoder.token_embedding(ids)
        rows = embed_prompts(head)
    if kind != 'FreeCentroids':
        np.testing.assert_allclose(rows, words.rows, atol=1e-5)
    assert embed_words(head, words) is words


def test_words_are_those_of_the_option_the_config_or_the_data():
    scenes = dict(type='SyntheticScenesDataset', split='test', num_scenes=1)
    head = dict(prompts=dict())
    cfg = Config(dict(model=dict(decode_head=head), test_dataloader=dict(dataset=scenes)))
    assert find_words(cfg, None).names[:3] == ('ring', 'cross', 'star')
    cfg.model.decode_head.vocabulary = 'cat; dog'
    assert find_words(cfg, None).names == ('cat', 'dog')
    assert find_words(cfg, 'tree; sky').names == ('tree', 'sky')
    with pytest.raises(ValueError, match='give --vocabulary'):
        find_words(Config(dict(model=dict(decode_head=head))), None)
