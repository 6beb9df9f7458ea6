import pytest

from mmseg_langseg.masks import check_bool, check_integer, check_number, check_pair


@pytest.mark.parametrize('value', [1, 2, 10])
def test_integers_within_bounds_pass(value):
    check_integer('x', value, 1, 10)
    check_number('x', value, 1, 10)


@pytest.mark.parametrize('value', [0, 11, 1.0, True, '3', None, 10**400])
def test_other_integers_are_named(value):
    with pytest.raises(ValueError, match=r'^x=.*: expected an integer from 1 to 10'):
        check_integer('x', value, 1, 10)


def test_bounds_are_in_the_message():
    with pytest.raises(ValueError, match=r'x=0: expected a finite number above 0$'):
        check_number('x', 0, 0, exclusive=True)
    with pytest.raises(ValueError, match=r'x=2: expected a finite number to 1$'):
        check_number('x', 2, highest=1)
    check_number('x', -5)


def test_pairs_and_flags():
    check_pair('x', (1, 2.5), 1)
    check_bool('x', False)
    for value in (3, (1,), (1, 2, 3), 'ab', (0, 1)):
        with pytest.raises(ValueError, match=r'^x='):
            check_pair('x', value, 1)
    with pytest.raises(ValueError, match=r'x=1: expected True or False'):
        check_bool('x', 1)
