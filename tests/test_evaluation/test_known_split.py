"""Known split: the known class names of a training run mapped to the classes of a dataset."""

import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS

from mmseg_langseg.evaluation import KnownSplit
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.scripts import ROOT

CLASSES = ('pottedplant', 'Sky ', 'dog, puppy', 'traffic light')


def split(known, vocabulary=None):
    vocabulary = vocabulary and Vocabulary.from_string(vocabulary)
    return KnownSplit.of(Vocabulary.from_string(known), CLASSES, vocabulary)


def test_words_are_found_by_name_and_synonym():
    found = split('sky; traffic  light; puppy')
    assert found.known == ('Sky ', 'dog, puppy', 'traffic light')
    assert found.unknown == ('pottedplant',)
    assert found.strangers == ()
    assert split('canine, dog').known == ('dog, puppy',)


def test_words_under_test_stand_for_their_class():
    words = 'potted plant, flowerpot; sky; dog; traffic light'
    assert split('flowerpot; pottedplant', words).known == ('pottedplant',)
    assert split('flowerpot').strangers == ('flowerpot',)
    # A vocabulary with another number of classes is ignored.
    assert split('flowerpot', 'flowerpot; sky').strangers == ('flowerpot',)


def test_differences_name_both_sides():
    found = split('sky; dog')
    assert found.differences(['pottedplant', 'traffic light']) == ''
    text = found.differences(['Sky', 'traffic light'])
    assert 'the model knows, but the metric counts as unknown: Sky' in text
    assert 'the metric counts as known, but the model does not know: pottedplant' in text


CONFIGS = [
    path
    for method in ('clips4', 'maskclip')
    for path in sorted((ROOT / 'configs' / method).glob('*.py'))
]


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_the_shipped_configs_have_one_split(path):
    cfg = Config.fromfile(path)
    head = cfg.model.decode_head
    known = head.get('known') or head.get('names')
    if not known or not cfg.get('val_evaluator'):
        return
    classes = DATASETS.get(cfg.val_dataloader.dataset.type).METAINFO['classes']
    words = Vocabulary.parse(head.vocabulary) if head.get('vocabulary') else None
    found = KnownSplit.of(Vocabulary.parse(known), classes, words)
    assert found.strangers == ()
    if head.type == 'CLIPS4Head' or found.unknown:
        assert found.differences(cfg.val_evaluator.unknown) == ''
