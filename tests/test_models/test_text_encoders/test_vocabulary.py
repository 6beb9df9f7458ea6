import json

import pytest
from mmseg.registry import DATASETS

from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.text_encoders.word_characters import check_characters


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


def test_background_words_replace_that_class():
    vocabulary = Vocabulary.from_names(['Background', 'cat'], background=['sky', 'background'])
    assert vocabulary.names == ('Background', 'cat')
    assert vocabulary.rows == (('sky',), ('background',), ('cat',))
    assert vocabulary.row_classes == (0, 0, 1)


def test_class_named_background_is_an_ordinary_word_without_background_words():
    assert Vocabulary.from_names(['background', 'cat']).rows == (('background',), ('cat',))


def test_separate_synonyms_have_rows_of_their_own():
    names = ['Background', 'dog, puppy', 'cat']
    vocabulary = Vocabulary.from_names(names, ['sky', 'wall, brick wall'], separate_synonyms=True)
    assert vocabulary.rows == (
        ('sky',), ('wall',), ('brick wall',), ('dog',), ('puppy',), ('cat',),
    )  # fmt: skip
    assert vocabulary.row_classes == (0, 0, 0, 1, 1, 2)
    assert vocabulary.names == ('Background', 'dog', 'cat')
    assert vocabulary != Vocabulary.from_names(names, ['sky', 'wall, brick wall'])
    with pytest.raises(ValueError, match="'dog' occurs twice"):
        Vocabulary.from_names(['dog, dog'], separate_synonyms=True)


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


def test_a_last_semicolon_is_accepted():
    assert Vocabulary.from_string('cat; dog;') == Vocabulary.from_string('cat; dog')
    assert Vocabulary.from_string('cat; ').names == ('cat',)
    for texts in ('cat; dog;;', ';', '', ';cat', 'cat; ; dog;'):
        with pytest.raises(ValueError, match='empty name'):
            Vocabulary.from_string(texts)


@pytest.mark.parametrize(
    ('word', 'message'),
    [
        ('cat<end_of_text>dog', '<end_of_text>'),
        ('<START_OF_TEXT>', '<start_of_text>'),
        ('cat <|endoftext|>', 'endoftext'),
        ('&lt;end_of_text&gt;', '<end_of_text>'),
        ('&amp;lt;end_of_text&amp;gt;', '<end_of_text>'),
        ('ca\0t', r'U\+0000 \(NUL\)'),
        ('\ufeffcat', r'U\+FEFF \(byte-order mark\)'),
        ('cat\x1b[31m', r'U\+001B'),
        ('ca\x1ct', r'U\+001C'),
        ('\udce9tage', r'U\+DCE9'),
        ('cat\u202etac', r'U\+202E \(right-to-left override\)'),
        ('cat\u200b', r'U\+200B'),
    ],
)
def test_what_is_no_text_is_refused(word, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_names(['sky', word])
    with pytest.raises(ValueError, match=message):
        Vocabulary(('sky',), ((word,),))


@pytest.mark.parametrize(
    'given', [['cat; dog', 'x'], ['[cat, dog]', 'y'], ['cat', 'dog, a;b'], '[cat, dog]', '[cat']
)
def test_a_list_in_place_of_a_word_is_refused(given, tmp_path):
    message = r"contains '[\[;]', which no class name may.*semicolons between classes"
    with pytest.raises(ValueError, match=message):
        Vocabulary.parse(given)
    if not isinstance(given, str):
        (tmp_path / 'mine.json').write_text(json.dumps({'classes': ['sky'], 'background': given}))
        with pytest.raises(ValueError, match=message):
            Vocabulary.parse(tmp_path / 'mine.json')
        with pytest.raises(ValueError, match=message):
            Vocabulary(tuple(given))


def test_classes_of_public_datasets_are_accepted():
    for dataset in DATASETS.module_dict.values():
        # Synonyms after slashes and commas repeat words; the characters are the point.
        for name in getattr(dataset, 'METAINFO', {}).get('classes', ()):
            check_characters(name)


def test_words_of_all_scripts_are_accepted():
    words = ['été', 'ﺔﺤﻤﻗ', 'می\u200cخواهم', '犬', '🐕\u200d🦺', 'a < b', 'R&B', 'new\tline\n x']
    assert Vocabulary.from_names(words).names == (*words[:-1], 'new line x')


@pytest.mark.parametrize('given', [None, 3, {'cat': 1}])
def test_what_is_no_list_is_refused(given):
    with pytest.raises(ValueError, match='expected a list of strings'):
        Vocabulary.parse(given)


def test_a_huge_word_is_not_printed_whole():
    with pytest.raises(ValueError) as error:
        Vocabulary.from_names(['a' * 100_000 + '\0'])
    assert len(str(error.value)) < 300


def test_huge_words_that_occur_twice_are_not_printed_whole():
    word = 'x' * 10_000
    for names, background in (
        ([word, word], []),
        ([f'{word}, a, a'], []),
        ([word, f'b, {word}'], []),
    ):
        with pytest.raises(ValueError, match='twice') as error:
            Vocabulary.from_names(names, background)
        assert len(str(error.value)) < 300
    with pytest.raises(ValueError, match='classes') as error:
        Vocabulary.from_names([word, 'b']).check_num_classes(3, 'PetsDataset')
    assert len(str(error.value)) < 400


def test_json(tmp_path):
    path = tmp_path / 'mine.json'
    path.write_text(json.dumps({'classes': ['cat', 'dog, puppy'], 'background': ['sky']}))
    expected = Vocabulary.from_names(['cat', 'dog, puppy'], ['sky'])
    assert Vocabulary.from_json(path) == Vocabulary.parse(str(path)) == expected
    path.rename(tmp_path / 'mine.JSON')
    assert Vocabulary.parse(str(tmp_path / 'mine.JSON')) == expected
    path.write_text(json.dumps({'classes': ['cat', 'dog, puppy'], 'separate_synonyms': True}))
    assert Vocabulary.from_json(path).rows == (('cat',), ('dog',), ('puppy',))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"classes": ["a"', 'mine.json'),
        ('["a", "b"]', 'expected an object'),
        ('{"classes": "a"}', 'expected an object'),
        ('{"classes": ["a"], "backgruond": []}', 'backgruond'),
        ('{"classes": ["a", "a"]}', "mine.json.*'a' occurs twice"),
        ('{"classes": ["a"], "separate_synonyms": "yes"}', 'mine.json.*true or false.*yes'),
        ('{"classes": [NaN]}', 'mine.json.*Entry 1.*nan, is no string'),
        ('{"classes": ["a", ["b"]]}', r"mine.json.*Entry 2.*\['b'\], is no string"),
        ('[' * 100_000, 'mine.json.*nested too deeply'),
        ('{"classes": ["a' + 'b' * 2**24 + '"]}', 'mine.json.*larger than 16 MiB'),
        ('{"classes": ["<end_of_text>"]}', 'mine.json.*<end_of_text>'),
        ('', 'mine.json'),
    ],
)
def test_bad_json(tmp_path, content, message):
    path = tmp_path / 'mine.json'
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_json(path)


def test_json_with_a_byte_order_mark_is_read_and_other_encodings_are_refused(tmp_path):
    path = tmp_path / 'mine.json'
    path.write_bytes(b'\xef\xbb\xbf{"classes": ["cat", "dog"]}')
    assert Vocabulary.from_json(path).names == ('cat', 'dog')
    path.write_text('{"classes": ["cat"]}', encoding='utf-16')
    with pytest.raises(ValueError, match=r'mine\.json.*utf-8'):
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


@pytest.mark.parametrize(
    'texts',
    ['\u00e9; dog, e\u0301', 'jelly\ufb01sh; jellyfish', '\uff23at; cat', '"cat"; “cat”'],
)
def test_words_that_clip_reads_as_the_same_occur_twice(texts):
    with pytest.raises(ValueError, match=r'occurs twice.* as CLIP reads both as'):
        Vocabulary.from_string(texts)
    assert Vocabulary.from_string('straße; strasse; m²; m2').num_classes == 4


@pytest.mark.parametrize('character', ['\ufffe', '\uffff', '\U0001fffe', '\ufdd0'])
def test_noncharacters_are_refused(character):
    with pytest.raises(ValueError, match=rf'U\+{ord(character):04X}'):
        Vocabulary.from_string(f'a{character}; b')
