"""Parsing of --cfg-options: as in the toolbox, except that nothing is dropped."""

import argparse

import pytest
from mmengine.config import DictAction

from mmseg_langseg.apis.config_options import CommaList, ConfigOptions


def read(*words, action=ConfigOptions):
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument('--cfg-options', nargs='+', action=action)
    return parser.parse_args(['--cfg-options', *words]).cfg_options


def value(text):
    read_value = read(f'key={text}')['key']
    return list(read_value) if isinstance(read_value, CommaList) else read_value


def same(one, other):
    """Compare for equality, including types, recursively."""
    if isinstance(one, (list, tuple)) and type(one) is type(other) and len(one) == len(other):
        return all(map(same, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(
    'text',
    [
        *('1', '-3', '0.5', '1e-4', '.5', '1E5', 'True', 'false', 'None', 'none', 'abc', ''),
        *('a,b,c', '1,2,3', 'a,1,None', '1.5,true', 'ann/train.txt', 'tar://data/sa1b', '[]', '()'),
        *('[a,b]', '(a,b)', '[1]', '(1,)', '[a,b,]', '[a,,b]', '[1, 2, 3]', '[a, b, c]', '(1, 2)'),
        *('[(a,b),(c,d)]', '[(1, 2, 3), [a, b], c]', '[[1,2],[3,(4,5)]]', '["a","b"]'),
        *("[('a','b'),('c','d')]", 'a=b', 'x=1,y=2', '/data/a-b_c.d', '640,640', '[None,True]'),
        *(' 0.1', '"[a,b]"', '1_000', 'nan-free', '.png'),
    ],
)
def test_documented_forms_are_read_as_mmengine_reads_them(text):
    expected = read(f'key={text}', action=DictAction)['key']
    assert same(value(text), expected), (value(text), expected)


@pytest.mark.parametrize(
    'text',
    [
        *('person; dog; sky', 'traffic light; fire hydrant', 'person; dog, puppy; sky'),
        *('data/my photos', 'data/name with blanks', 'cat;dog,puppy', 'dog, puppy', ' a b '),
        *(
            "dog's toy; cat",
            'photos (1, 2)',
            '[2020] summer, winter/photos',
            "it's",
            'traffic light',
        ),
        *('a [b', 'None of these', '"a" and "b"', 'a  b'),
    ],
)
def test_words_and_paths_arrive_as_typed(text):
    assert value(text) == text


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('"dog,puppy"', 'dog,puppy'),
        ("'a, b'", 'a, b'),
        ('"2017"', '2017'),
        ('[traffic light, fire hydrant]', ['traffic light', 'fire hydrant']),
        ('["dog, puppy", cat, 3]', ['dog, puppy', 'cat', 3]),
        ("[dog's toy, cat]", ["dog's toy", 'cat']),
        ('(1,2),(3,4)', [(1, 2), (3, 4)]),
        ('1, 2, 3', [1, 2, 3]),
        ('"a,b",c', ['a,b', 'c']),
    ],
)
def test_quotes_and_blanks_in_lists(text, expected):
    assert same(value(text), expected), value(text)


@pytest.mark.parametrize('text', ['a,b', '1,2', '1, 2', '/data/a,b', '"a",b', '1,'])
def test_a_list_without_brackets_knows_what_was_typed(text):
    assert read(f'key={text}')['key'].typed == text
    assert not isinstance(read(f'key=[{text}]')['key'], CommaList)


@pytest.mark.parametrize(
    'text', ['[a,b', '(a,b]', '[(a,b)', '[a]]', '[' * 100_000, '(' * 99 + ')' * 99]
)
def test_brackets_without_a_partner_are_refused(text):
    with pytest.raises(argparse.ArgumentError, match=r'key: brackets'):
        value(text)


def test_words_without_quotes_are_explained():
    with pytest.raises(argparse.ArgumentError, match=r"KEY=VALUE, got 'dog'.*quotes"):
        read('known=person', 'dog')


def test_a_long_text_is_not_shown_whole():
    for words in (['k' * 9999], ['key=[' + 'v' * 9999], [f'{"k" * 9999}=[']):
        with pytest.raises(argparse.ArgumentError) as error:
            read(*words)
        assert len(str(error.value)) < 300


def test_later_options_are_added():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, default={})
    args = parser.parse_args(['--cfg-options', 'a=1', 'b=x=y', '--cfg-options', 'b=2'])
    assert args.cfg_options == {'a': 1, 'b': 2}
    assert parser.parse_args([]).cfg_options == {}
