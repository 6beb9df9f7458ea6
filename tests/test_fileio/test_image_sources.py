import errno
import os
import tarfile

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.formats import read_region_map
from tests.test_masks.tiles import NAMES, four_tiles, load_as_trainer, run, tree


def test_list_and_tar_give_the_same_files_as_the_folder(images, tmp_path):
    run(images, tmp_path / 'folder')
    listed = tmp_path / 'list.txt'
    lines = [f'./{NAMES[0]}', *NAMES, str(images / NAMES[1]), '']
    listed.write_text('\n'.join(lines))
    run(listed, tmp_path / 'list', list_root=images)
    for mode, suffix in (('w', 'tar'), ('w:gz', 'tgz')):
        with tarfile.open(tmp_path / f'a.{suffix}', mode) as archive:
            archive.add(images, '.')
        run(tmp_path / f'a.{suffix}', tmp_path / suffix)
    expected = tree(tmp_path / 'folder')
    assert len(expected) == 9
    for kind in ('list', 'tar', 'tgz'):
        assert tree(tmp_path / kind) == expected


def test_bad_inputs_are_named(images, tmp_path):
    listed = tmp_path / 'list.txt'
    listed.write_text('../elsewhere/1.jpg')
    with pytest.raises(
        ValueError, match=r"elsewhere/1\.jpg' does not name a file inside .* --root"
    ):
        open_image_source(listed)
    with pytest.raises(FileNotFoundError, match='gone'):
        open_image_source(tmp_path / 'gone')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match=r'no image in .*empty'):
        open_image_source(tmp_path / 'empty')
    (tmp_path / 'a.tar').write_bytes(b'x' * 2000)
    with pytest.raises(ValueError, match=r'a\.tar. is not a tar'):
        open_image_source(tmp_path / 'a.tar')
    with pytest.raises(ValueError, match='neither a folder'):
        open_image_source(images / NAMES[0])


def test_a_tar_cannot_write_elsewhere(images, tmp_path):
    with tarfile.open(tmp_path / 'a.tar', 'w') as archive:
        archive.add(images / '5.png', '5.png')
        archive.add(images / '5.png', '../out2/6.png')
    report = run(tmp_path / 'a.tar', tmp_path / 'out')
    assert report.made == 1 and report.unreadable == [('../out2/6.png', 'leads out of the folder')]
    assert not (tmp_path / 'out2').exists()


def test_an_unreadable_folder_costs_nothing_else(images, tmp_path, monkeypatch):
    real = os.scandir

    def scandir(path='.'):
        if str(path).endswith('deep'):
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return real(path)

    # The tests may run as root, who ignores permissions.
    monkeypatch.setattr(os, 'scandir', scandir)
    source = open_image_source(images)
    assert source.unreadable == [('a/deep', 'folder cannot be listed (Permission denied)')]
    assert len(source.names) == 5


def write_odd_images(folder):
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (12, 20, 3)).astype(np.uint8)
    image = Image.fromarray(colors)
    image.convert('CMYK').save(folder / 'cmyk.jpg')
    image.convert('L').save(folder / 'gray.jpg')
    image.convert('P').save(folder / 'palette.png')
    image.convert('RGBA').save(folder / 'alpha.png')
    cv2.imwrite(str(folder / 'color16.png'), colors.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / 'gray16.png'), colors[..., 0].astype(np.uint16) * 257)
    Image.new('RGB', (1, 1)).save(folder / 'one.png')
    Image.new('RGB', (50, 20000)).save(folder / 'tall.png')
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / 'turned.jpg', exif=exif)


def test_odd_images_get_masks_that_fit_what_the_loader_sees(tmp_path):
    (tmp_path / 'images').mkdir()
    write_odd_images(tmp_path / 'images')
    report = run(tmp_path / 'images', tmp_path / 'out', 'regions')
    assert report.made == 9 and not report.unreadable
    for path in (tmp_path / 'images').iterdir():
        image = load_as_trainer(path)
        assert image.dtype == np.uint8 and image.ndim == 3
        regions = read_region_map(tmp_path / 'out' / f'{path.stem}.png', image.shape[:2])
        assert np.array_equal(regions, four_tiles(image[..., ::-1]))
    assert read_region_map(tmp_path / 'out/turned.png').shape == (20, 12)


def test_lists_stay_in_their_folder(images, tmp_path):
    listed = tmp_path / 'list.txt'
    listed.write_text(f'\ufeff{images}/5.png\na/1.jpg\n', encoding='utf-8')
    assert open_image_source(listed, images).names == ['5.png', 'a/1.jpg']
    for line in ('../x.jpg', '/etc/x.jpg', 'a/../../x.jpg', '.', 'a\0b.jpg'):
        listed.write_text(line)
        with pytest.raises(ValueError, match=r"list\.txt: '.*' does not name a file inside"):
            open_image_source(listed, images)
