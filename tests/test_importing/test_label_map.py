import pytest

from mmseg_langseg.importing import read_label_map


def test_forms_of_lines():
    text = '# comment\n\n  background:0,0,0::\na: b:1,2,3:head,tail:sit\nfire truck 🚒:255, 0, 9\n'
    assert read_label_map(text) == {
        'background': (0, 0, 0),
        'a: b': (1, 2, 3),
        'fire truck 🚒': (255, 0, 9),
    }
    assert list(read_label_map(text)) == ['background', 'a: b', 'fire truck 🚒']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'there is no label'),
        ('cat:1,2,3::\ncat', "line 2 is 'cat', expected"),
        ('cat:1,2,256::', 'line 1 is'),
        ('cat:::', 'line 1 is'),
        ('cat:1,2,3::\ncat:4,5,6::', "line 2: the label 'cat' occurs twice"),
        ('cat:1,2,3::\ndog:1,2,3::', "line 2: the labels 'cat' and 'dog' have the same color"),
    ],
)
def test_invalid_lines_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        read_label_map(text)
