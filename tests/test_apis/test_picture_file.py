import os

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.apis import check_picture_path, save_picture


@pytest.mark.parametrize('name', ['a.png', 'B.JPG', 'c.jpeg', 'd.webp', 'new/folder/e.png'])
def test_pictures_are_written_and_replaced(tmp_path, name):
    path = tmp_path / name
    for color in ('red', 'blue'):
        save_picture(Image.new('RGB', (8, 6), color), path)
    got = np.asarray(Image.open(path).convert('RGB')).astype(int)
    assert got.shape == (6, 8, 3) and np.abs(got - (0, 0, 255)).max() < 8
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize('name', ['noext', 'a.txt', 'a.pth', '.png'])
def test_suffix_names_the_format(tmp_path, name):
    with pytest.raises(ValueError, match=r'must end in one of \.png'):
        check_picture_path(tmp_path / name)


def test_other_files_are_never_replaced(tmp_path):
    photo, text, link = (tmp_path / name for name in ('photo.jpg', 'text.png', 'link.png'))
    Image.new('RGB', (8, 8)).save(photo)
    text.write_text('notes')
    link.symlink_to(photo)
    before = photo.read_bytes()
    for path in (photo, text, link):
        with pytest.raises(FileExistsError, match=f'{path.name}.*nothing was written'):
            save_picture(Image.new('RGB', (2, 2)), path)
    assert photo.read_bytes() == before and text.read_text() == 'notes'


def test_folders_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / 'folder.png').mkdir()
    with pytest.raises(IsADirectoryError, match=r'folder\.png'):
        check_picture_path(tmp_path / 'folder.png')
    (tmp_path / 'file').write_text('')
    with pytest.raises(PermissionError, match=f"{tmp_path}/file'"):
        check_picture_path(tmp_path / 'file' / 'a.png')
    monkeypatch.setattr(os, 'access', lambda *_: False)
    with pytest.raises(PermissionError, match='no access'):
        check_picture_path(tmp_path / 'a.png')
