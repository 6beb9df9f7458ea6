import os

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
