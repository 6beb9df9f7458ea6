import argparse

import pytest

from mmseg_langseg.apis.command_line import command_parser, integer_in, positive_int, run_command


def fail(error):
    def main():
        raise error

    return main


def test_expected_errors_end_in_their_message(monkeypatch):
    monkeypatch.setattr('sys.argv', ['tools/train.py'])
    with pytest.raises(SystemExit) as caught:
        run_command(fail(ValueError('lr is -1')))
    assert caught.value.code == 'train: lr is -1'


def test_debug_and_unexpected_errors_keep_the_traceback():
    with pytest.raises(ValueError, match='lr is -1'):
        run_command(fail(ValueError('lr is -1')), ['--debug'])
    with pytest.raises(KeyError):
        run_command(fail(KeyError('lr')), [])


def test_result_is_returned():
    assert run_command(lambda: 3, []) == 3


def test_every_parser_has_debug():
    assert command_parser('Test.').parse_args(['--debug']).debug


@pytest.mark.parametrize('text', ['0', '-1', '1.5', 'x'])
def test_positive_int_refuses(text):
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):
        positive_int(text)


def test_bounds_are_included_and_named():
    quality = integer_in(1, 100)
    assert [quality('1'), quality('100')] == [1, 100]
    with pytest.raises(argparse.ArgumentTypeError, match='from 1 to 100, got 1000'):
        quality('1000')
