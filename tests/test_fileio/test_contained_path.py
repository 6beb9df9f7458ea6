from pathlib import Path

import pytest

from mmseg_langseg.fileio import contained_path


@pytest.mark.parametrize('name', ['a.jpg', 'a/b.jpg', 'with blank/ü.png', '..a/b..jpg'])
def test_names_inside_are_joined(name):
    assert contained_path('root', name) == Path('root') / name


@pytest.mark.parametrize(
    'name', ['', '.', '/etc/x', '../x', 'a/../../x', 'a/..', 'C:/x', 'a\\..\\x', 'a\0.jpg']
)
def test_names_outside_are_refused(name):
    with pytest.raises(ValueError, match=r"coco.json: .* does not name a file inside 'root'"):
        contained_path('root', name, 'coco.json')
