import pytest

from mmseg_langseg.models.text_encoders import get_templates
from mmseg_langseg.models.text_encoders.templates import TEMPLATE_SETS


@pytest.mark.parametrize(
    ('name', 'count'),
    [('single', 1), ('imagenet_select', 8), ('imagenet', 80), ('maskclip', 85), ('vild', 14)],
)
def test_named_sets(name, count):
    templates = get_templates(name)
    assert len(set(templates)) == len(templates) == count
    assert get_templates(list(templates)) == templates  # each passes the check


def test_relations_of_the_sets():
    assert get_templates('imagenet_select')[-1:] == get_templates('single')
    assert get_templates('maskclip')[:80] == get_templates('imagenet')
    assert set(get_templates('imagenet_select')[:-1]) <= set(get_templates('imagenet'))


@pytest.mark.parametrize('bad', [['a photo'], ['{} and {}'], ['a {}', 3], []])
def test_bad_lists(bad):
    with pytest.raises(ValueError, match=r'exactly once|empty'):
        get_templates(bad)


def test_unknown_name():
    with pytest.raises(ValueError) as error:
        get_templates('a photo of a {}')
    assert all(name in str(error.value) for name in TEMPLATE_SETS)
    assert 'goes into a list' in str(error.value)
