import argparse
import io
import os
import warnings

import pytest
from mmengine.runner import Runner
from mmseg.registry import MODELS
from PIL import Image
from torch.utils.data import DataLoader

from mmseg_langseg.apis.command_line import (
    command_parser,
    device_name,
    integer_in,
    number_in,
    positive_int,
    run_command,
    seed_int,
)
from mmseg_langseg.fileio import LangSegWarning


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


def build(kind, **settings):
    return lambda: MODELS.build(dict(type=kind, **settings))


@pytest.mark.parametrize(
    ('main', 'message'),
    [
        (build('NoSuchPart'), 'tool: NoSuchPart is not in the mmseg::model registry'),
        (build('FCNHead', in_channels=3, nothing=1), "unexpected keyword argument 'nothing'"),
        (lambda: MODELS.build(dict(in_channels=3)), "must contain the key \"type\""),
        (lambda: Runner(model=1, work_dir='work'), 'tool: model should be a nn.Module object'),
        (fail(RuntimeError('sizes differ')), 'tool: sizes differ (--debug shows where)'),
        (fail(FileNotFoundError(2, 'No such file or directory', 'a.txt')),
         "tool: No such file or directory: 'a.txt'"),
        (fail(ValueError()), 'tool: ValueError'),
        (fail(Image.DecompressionBombError('too many pixels')), 'tool: too many pixels'),
    ],
)  # fmt: skip
def test_what_users_get_wrong_ends_in_a_message(main, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', ['tool.py'])
    with pytest.raises(SystemExit) as caught:
        run_command(main)
    assert message in caught.value.code and caught.value.code.startswith('tool: ')


def interrupt():
    raise KeyboardInterrupt


def test_an_interruption_is_quiet():
    with pytest.raises(SystemExit) as caught:
        run_command(interrupt, [])
    assert caught.value.code == 130
    with pytest.raises(KeyboardInterrupt):
        run_command(interrupt, ['--debug'])


def warn_of_all():
    """As this package, its tools and MMSegmentation warn."""
    warnings.warn('the word is long', LangSegWarning, stacklevel=2)
    warnings.warn('Default ``avg_non_ignore`` is False, if you', stacklevel=2)
    MODELS.build(dict(type='FCNHead', in_channels=3, channels=2, num_classes=2))
    DataLoader(range(2), num_workers=1000)
    warnings.warn('Default of another', stacklevel=2)


def test_warnings_of_this_package_are_plain_lines(capsys):
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        warnings.showwarning = lambda message, *_: print(f'shown: {message}')
        shown = warnings.showwarning
        run_command(warn_of_all, [])
        assert warnings.showwarning is shown
    said = capsys.readouterr()
    assert said.err == 'warning: the word is long\n'
    assert 'shown: Default of another' in said.out
    assert 'avg_non_ignore' not in said.out and 'out_channels' not in said.out
    assert 'DataLoader' not in said.out
    assert warnings.showwarning is before


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


@pytest.mark.parametrize('text', ['-0.1', '1.1', 'nan', 'inf', '-inf'])
def test_numbers_out_of_bounds_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r'of at least 0 and at most 1, got'):
        number_in(0, 1)(text)


def test_number_bounds_are_included_unless_above():
    assert [number_in(0, 1)(text) for text in ('0', '1', '0.5')] == [0, 1, 0.5]
    with pytest.raises(argparse.ArgumentTypeError, match='above 0, got 0'):
        number_in(0, above=True)('0')


def test_seeds_are_those_of_numpy():
    assert seed_int(str(2**32 - 1)) == 2**32 - 1
    for text in ('-1', str(2**32)):
        with pytest.raises(argparse.ArgumentTypeError):
            seed_int(text)


def test_a_file_name_that_is_no_text_is_printed(monkeypatch):
    said = io.TextIOWrapper(io.BytesIO(), 'utf-8')
    monkeypatch.setattr('sys.stdout', said)
    run_command(lambda: print(os.fsdecode(b'\xff.jpg'), flush=True))
    assert said.buffer.getvalue() == b'\\udcff.jpg\n'


@pytest.mark.parametrize('text', ['gpu', 'cuda:77', 'mps:x', 'meta', 'hpu', ''])
def test_a_device_that_is_not_there_is_named(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}'.* this machine has cpu"):
        device_name(text)
    assert device_name('cpu') == 'cpu'
