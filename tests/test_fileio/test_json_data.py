import pytest

from mmseg_langseg.fileio import parse_json, show_value


@pytest.mark.parametrize('content', ['{"a": [1, 2.5, null]}', b'\xef\xbb\xbf{"a": [1, 2.5, null]}'])
def test_json_is_parsed(content):
    assert parse_json(content, 'x') == dict(a=[1, 2.5, None])


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'perhaps truncated'),
        (b'{"a": 1', 'perhaps truncated'),
        ('[' * 100_000, 'nested too deeply'),
        ('{"a":' * 100_000, 'nested too deeply'),
        ('[NaN]', 'NaN is not a JSON number'),
        ('[1, Infinity]', 'Infinity is not a JSON number'),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "'b' occurs twice"),
        ('{"a": 1}'.encode('utf-16'), 'codec'),
        (b'\xff\xd8', 'codec'),
        ('1' * 5000, 'perhaps truncated'),
    ],
)
def test_all_else_is_refused_by_name(content, message):
    with pytest.raises(ValueError, match=rf'^x\.json is not valid JSON.*{message}'):
        parse_json(content, 'x.json')


def test_values_are_shown_short():
    assert show_value('a' * 100, 10) == "'aaaaaaaaa"
    assert show_value(10**5000) == 'an integer of 16610 bits'
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert len(show_value(deep)) < 100
    # Freed level by level: Python's own deallocation works too.
    while deep:
        deep = deep.pop()


def test_not_a_number_is_accepted_on_request():
    assert parse_json('[NaN, -Infinity]', 'x', allow_nan=True)[1] == float('-inf')
