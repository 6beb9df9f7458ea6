import json

import pytest

from mmseg_langseg.models.text_encoders import Vocabulary


def test_names_synonyms_and_blanks():
    vocabulary = Vocabulary.from_names(['cat ', 'dog,  puppy', 'traffic   light'])
    assert vocabulary.names == ('cat', 'dog', 'traffic light')
    assert vocabulary.rows == (('cat',), ('dog', 'puppy'), ('traffic light',))
    assert vocabulary.row_classes == (0, 1, 2)
    assert vocabulary.num_classes == 3
    assert vocabulary == Vocabulary.from_string('cat; dog, puppy;traffic light')
    assert hash(vocabulary) == hash(Vocabulary.parse(['cat', 'dog,puppy', 'traffic light']))


def test_background_words_without_such_a_class_come_last():
    vocabulary = Vocabulary.from_names(['cat', 'dog'], background=['sky', 'wall, brick wall'])
    assert vocabulary.names == ('cat', 'dog', 'background')
    assert vocabulary.rows == (('cat',), ('dog',), ('sky',), ('wall', 'brick wall'))
    assert vocabulary.row_classes == (0, 1, 2, 2)


def test_background_words_take_the_place_of_that_class():
    vocabulary = Vocabulary.from_names(['Background', 'cat'], background=['sky', 'background'])
    assert vocabulary.names == ('Background', 'cat')
    assert vocabulary.rows == (('sky',), ('background',), ('cat',))
    assert vocabulary.row_classes == (0, 0, 1)


def test_class_named_background_is_an_ordinary_word_without_background_words():
    assert Vocabulary.from_names(['background', 'cat']).rows == (('background',), ('cat',))


@pytest.mark.parametrize(
    ('names', 'background', 'message'),
    [
        (['cat', 'dog', 'Cat'], [], "'Cat' occurs twice.*'cat' and in 'Cat'"),
        (['cat', 'dog, cat'], [], "'cat' occurs twice.*in 'cat' and in 'dog'"),
        (['dog, dog'], [], "'dog' occurs twice"),
        (['a, x', 'b, x'], [], "'x' occurs twice.*'a' and in 'b'"),
        (['cat'], ['sky', 'cat'], "'cat' occurs twice"),
        (['background', 'background'], ['sky'], "'background' occurs twice"),
        (['background, nothing', 'cat'], ['sky'], 'synonyms'),
        (['cat', ''], [], "Entry 2 .*'' has|Entry 2"),
        (['cat', 'dog, '], [], 'Entry 2'),
        (['cat', 3], [], 'Entry 2'),
        ([], [], 'empty'),
    ],
)
def test_bad_words(names, background, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_names(names, background)


def test_bad_strings():
    with pytest.raises(ValueError, match='Entry 2'):
        Vocabulary.from_string('cat;; dog')
    with pytest.raises(ValueError, match='from_string'):
        Vocabulary.from_names('cat')
    with pytest.raises(ValueError, match='2 names'):
        Vocabulary(('a', 'b'), (('c',),))
    with pytest.raises(ValueError, match='string, got 3'):
        Vocabulary(('a', 3))


def test_json(tmp_path):
    path = tmp_path / 'mine.json'
    path.write_text(json.dumps({'classes': ['cat', 'dog, puppy'], 'background': ['sky']}))
    expected = Vocabulary.from_names(['cat', 'dog, puppy'], ['sky'])
    assert Vocabulary.from_json(path) == Vocabulary.parse(str(path)) == expected


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"classes": ["a"', 'mine.json'),
        ('["a", "b"]', 'expected an object'),
        ('{"classes": "a"}', 'expected an object'),
        ('{"classes": ["a"], "backgruond": []}', 'backgruond'),
        ('{"classes": ["a", "a"]}', "mine.json.*'a' occurs twice"),
    ],
)
def test_bad_json(tmp_path, content, message):
    path = tmp_path / 'mine.json'
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_json(path)


def test_missing_json_lists_the_shipped_ones(tmp_path):
    for path in ('none.json', tmp_path / 'ade150.json'):
        with pytest.raises(FileNotFoundError, match=r'ade150\.json'):
            Vocabulary.from_json(path)


def test_check_num_classes():
    vocabulary = Vocabulary.from_names(['cat', 'dog'])
    vocabulary.check_num_classes(2, 'PetsDataset')
    with pytest.raises(ValueError, match=r'2 classes.*PetsDataset has 3'):
        vocabulary.check_num_classes(3, 'PetsDataset')
