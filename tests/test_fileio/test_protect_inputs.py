import os

import pytest

from mmseg_langseg.fileio import check_new, check_no_overwrite, check_not_input


def test_other_paths_pass(tmp_path):
    (tmp_path / 'in').mkdir()
    check_not_input(tmp_path / 'out', [tmp_path / 'in', tmp_path / 'missing'])
    check_not_input(tmp_path / 'in' / 'new', [tmp_path / 'in'])


@pytest.mark.parametrize('kind', ['same', 'detour', 'symbolic', 'hard'])
def test_an_input_is_refused_under_any_name(tmp_path, kind):
    photo = tmp_path / 'photo.jpg'
    photo.write_bytes(b'photo')
    out = {
        'same': photo,
        'detour': tmp_path / 'x' / '..' / 'photo.jpg',
        'symbolic': tmp_path / 'link.jpg',
        'hard': tmp_path / 'hard.jpg',
    }[kind]
    if kind == 'symbolic':
        out.symlink_to(photo)
    if kind == 'hard':
        os.link(photo, out)
    with pytest.raises(ValueError, match=r'photo\.jpg.*nothing was written'):
        check_not_input(out, [photo])


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match='give another path'):
        check_not_input(f'{tmp_path}/', [tmp_path])


def test_one_of_many_outputs_is_an_input(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'link').symlink_to('in')
    inputs = [tmp_path / 'in' / name for name in ('a.png', 'b.jpg')]
    check_no_overwrite([tmp_path / 'out/a.png', tmp_path / 'in/c.png', 'a.json'], inputs)
    for output in ('in/a.png', 'link/a.png', 'in/../link/b.jpg'):
        with pytest.raises(ValueError, match='would be overwritten'):
            check_no_overwrite([tmp_path / 'x.png', tmp_path / output], inputs)


def test_only_files_of_the_command_are_replaced(tmp_path):
    path = tmp_path / 'out'
    check_new(path)
    path.write_bytes(b'head and more')
    check_new(path, b'head')
    (tmp_path / 'link').symlink_to('gone')
    for taken, own in ((path, None), (path, b'hat'), (tmp_path, b''), (tmp_path / 'link', b'')):
        with pytest.raises(FileExistsError, match='nothing was written'):
            check_new(taken, own)
