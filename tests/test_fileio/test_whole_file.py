import os
import stat

import pytest

from mmseg_langseg.fileio import whole_file
from tests.test_masks.tiles import tree


def test_a_file_whose_temporary_was_taken_for_a_leftover_is_written_again(tmp_path, monkeypatch):
    real, taken = os.replace, []

    def replace(source, target):
        if len(taken) < 2:
            taken.append(source)
            whole_file.remove_leftovers(tmp_path, {'a.bin'})
        real(source, target)

    monkeypatch.setattr(os, 'replace', replace)
    whole_file.write_whole_file(tmp_path / 'a.bin', b'content')
    assert tree(tmp_path) == {'a.bin': b'content'} and len(taken) == 2


def write(path, *parts, **options):
    with whole_file.open_whole_file(path, **options) as file:
        for part in parts:
            file.write(part)


def test_a_file_written_in_parts(tmp_path):
    write(tmp_path / 'new' / 'a.bin', b'1', b'2')
    assert tree(tmp_path / 'new') == {'a.bin': b'12'}
    open(tmp_path / 'usual', 'w').close()
    mode = (tmp_path / 'usual').stat().st_mode
    assert stat.filemode((tmp_path / 'new' / 'a.bin').stat().st_mode) == stat.filemode(mode)
    write(tmp_path / 'new' / 'a.bin', b'3')
    assert tree(tmp_path / 'new') == {'a.bin': b'3'}


def test_a_file_of_other_content_is_kept(tmp_path):
    path = tmp_path / 'a.bin'
    write(path, b'1', replace=False)
    before = path.stat()
    write(path, b'1', replace=False)
    with pytest.raises(FileExistsError, match=r'a\.bin'):
        write(path, b'2', replace=False)
    assert tree(tmp_path) == {'a.bin': b'1'} and path.stat().st_ino == before.st_ino


@pytest.mark.parametrize('error', [KeyboardInterrupt(), OSError(28, 'No space left on device')])
def test_an_interrupted_write_changes_nothing(error, tmp_path):
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')
    with pytest.raises(type(error)) as raised, whole_file.open_whole_file(path) as file:
        file.write(b'new')
        raise error
    assert tree(tmp_path) == {'a.bin': b'old'}
    if isinstance(error, OSError):
        assert str(path) in str(raised.value)


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match='part'),
        whole_file.open_whole_file(tmp_path / 'a.bin') as file,
    ):
        file.write((tmp_path / 'part').read_bytes())
