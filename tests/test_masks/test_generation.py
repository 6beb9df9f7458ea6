import errno
import json
import os
import random
import tarfile
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.datasets.transforms.load_unlabeled_image import LoadUnlabeledImage
from mmseg_langseg.masks import (
    SuperpixelGenerator,
    build_generator,
    generate_masks,
    open_image_source,
    read_mask_file,
    read_region_map,
    whole_file,
)

NAMES = ['a/1.jpg', 'a/2.png', 'a/deep/3.JPEG', 'b/4.jpg', 'b/1.jpg', '5.png']


def four_tiles(image):
    """Regions that depend on the image: its quadrants, in the order of their brightness."""
    height, width = image.shape[:2]
    cells = (np.arange(height)[:, None] * 2 // height) * 2 + np.arange(width) * 2 // width
    means = [image[cells == i].mean() if (cells == i).any() else 0 for i in range(4)]
    return np.argsort(np.argsort(means))[cells].astype(np.int32)


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for name in NAMES:
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = rng.integers(10, 30, 2)
        Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).save(path)
    (tmp_path / 'images' / 'notes.txt').write_text('no image')
    (tmp_path / 'images' / '.hidden.png').write_text('no image')
    return tmp_path / 'images'


def run(images, out, file_format='sa1b', shard=(0, 1), make=four_tiles, **kwargs):
    source = open_image_source(images, exclude=out, **kwargs)
    generator = SuperpixelGenerator(make)
    return generate_masks(source, out, generator, 'tiles', file_format, shard, progress=False)


def tree(folder):
    """All files below a folder and what they hold."""
    folder = Path(folder)
    files = [path for path in folder.rglob('*') if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def masks_of(out):
    return {name: content for name, content in tree(out).items() if '.manifest' not in name}


def load_as_trainer(path):
    return LoadUnlabeledImage().transform(dict(img_path=str(path)))['img']


def test_every_image_gets_its_masks(images, tmp_path):
    report = run(images, tmp_path / 'out')
    assert (report.images, report.made, report.kept, report.masks) == (6, 6, 0, 24)
    assert set(masks_of(tmp_path / 'out')) == {
        Path(name).with_suffix('.json').as_posix() for name in NAMES
    }
    image = load_as_trainer(images / 'a/deep/3.JPEG')[..., ::-1]
    rles = read_mask_file(tmp_path / 'out/a/deep/3.json', image.shape[:2])
    expected = four_tiles(image)
    assert np.array_equal(
        [coco_mask.decode(rle) for rle in rles], [expected == i for i in range(4)]
    )
    content = json.loads((tmp_path / 'out/a/deep/3.json').read_text())
    assert content['image']['file_name'] == 'a/deep/3.JPEG'
    assert content['annotations'][2]['area'] == (expected == 2).sum()


def test_every_image_gets_its_regions(images, tmp_path):
    assert run(images, tmp_path / 'out', 'regions').masks == 24
    image = load_as_trainer(images / '5.png')[..., ::-1]
    assert np.array_equal(read_region_map(tmp_path / 'out/5.png'), four_tiles(image))


def test_manifest(images, tmp_path):
    (images / 'b/4.jpg').write_bytes(b'')
    run(images, tmp_path / 'out')
    folder = tmp_path / 'out' / '.manifest'
    content = json.loads((folder / 'settings.json').read_text())
    assert content['settings'] == dict(generator='tiles', format='sa1b')
    assert {'mmseg_langseg', 'numpy', 'scikit-image'} == set(content['versions'])
    counts = json.loads((folder / 'shard-0-of-1.json').read_text())
    assert counts == dict(images=6, files=5, masks=20, unreadable=1)
    assert (folder / 'unreadable-0-of-1.txt').read_text() == 'b/4.jpg\tthe file is empty\n'


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
    with pytest.raises(ValueError, match=r"lists '\.\./elsewhere/1\.jpg', which is outside"):
        open_image_source(listed)
    with pytest.raises(FileNotFoundError, match='gone'):
        open_image_source(tmp_path / 'gone')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match=r'no image in .*empty'):
        open_image_source(tmp_path / 'empty')
    (tmp_path / 'a.tar').write_bytes(b'x' * 2000)
    with pytest.raises(ValueError, match=r'a\.tar. is no tar'):
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


def test_shards_make_what_one_run_makes(images, tmp_path):
    run(images, tmp_path / 'one')
    reports = [run(images, tmp_path / 'all', shard=(i, 4)) for i in (2, 0, 3, 1)]
    assert [report.made for report in reports] == [1, 2, 1, 2]
    assert masks_of(tmp_path / 'all') == masks_of(tmp_path / 'one')
    for shard in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError, match=f'shard {shard[0]}/{shard[1]}'):
            run(images, tmp_path / 'all', shard=shard)


def test_complete_files_are_kept_and_broken_ones_made_again(images, tmp_path):
    out = tmp_path / 'out'
    for file_format, suffix in (('sa1b', '.json'), ('regions', '.png')):
        run(images, out / file_format, file_format)
        before = tree(out / file_format)
        kept, cut, empty = (out / file_format / f'{stem}{suffix}' for stem in ('a/1', 'a/2', '5'))
        inode = kept.stat().st_ino
        cut.write_bytes(cut.read_bytes()[:-9])
        empty.write_bytes(b'')
        (out / file_format / f'a/1{suffix}.x1y2z3.tmp').write_bytes(b'half')
        report = run(images, out / file_format, file_format)
        assert (report.made, report.kept, report.masks) == (2, 4, 24)
        assert kept.stat().st_ino == inode
        assert tree(out / file_format) == before


class KilledError(BaseException):
    pass


class KillingDisk:
    """Ends the process, as far as a test can see, at one of the steps of writing files.

    Nothing runs after a kill, so that no clean-up can help.
    """

    def __init__(self, monkeypatch, steps):
        self.steps = steps
        self.dead = False
        for owner, name in ((os, 'fdopen'), (os, 'replace'), (os, 'link'), (Path, 'unlink')):
            real = getattr(owner, name)
            monkeypatch.setattr(owner, name, self.wrap(real, name))

    def wrap(self, real, name):
        def call(*args, **kwargs):
            if self.dead:
                return None
            if name == 'fdopen':
                return HalfWritten(real(*args, **kwargs), self)
            self.step()
            result = real(*args, **kwargs)
            self.step()
            return result

        return call

    def step(self):
        self.steps -= 1
        if self.steps == 0:
            self.dead = True
            raise KilledError


class HalfWritten:
    def __init__(self, file, disk):
        self.file, self.disk = file, disk

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, content):
        self.disk.step()
        self.file.write(content[: len(content) // 2])
        self.disk.step()
        self.file.write(content[len(content) // 2 :])
        self.disk.step()


def test_killed_at_random_moments_it_ends_with_the_same_files(images, tmp_path):
    (images / 'b/4.jpg').write_bytes(b'broken')
    rng = random.Random(0)
    kills = halves = 0
    for file_format in ('sa1b', 'regions'):
        run(images, tmp_path / file_format, file_format)
        expected = tree(tmp_path / file_format)
        for attempt in range(4):
            out = tmp_path / f'{file_format}{attempt}'
            for _ in range(50):
                with pytest.MonkeyPatch.context() as patch:
                    KillingDisk(patch, rng.randint(1, 16))
                    try:
                        run(images, out, file_format)
                    except KilledError:
                        kills += 1
                halves += any(name.endswith('.tmp') for name in tree(out))
                if tree(out) == expected:
                    break
            run(images, out, file_format)
            assert tree(out) == expected
    assert kills >= 20 and halves >= 5


def test_other_settings_are_refused(images, tmp_path):
    run(images, tmp_path / 'out')
    before = tree(tmp_path / 'out')
    with pytest.raises(ValueError, match="other settings: format was 'sa1b', is 'regions'"):
        run(images, tmp_path / 'out', 'regions')
    source = open_image_source(images)
    generator = build_generator('felzenszwalb', scale=5)
    with pytest.raises(ValueError, match=r"generator was 'tiles', .*scale was None, is 5"):
        generate_masks(source, tmp_path / 'out', generator, 'felzenszwalb', progress=False)
    assert tree(tmp_path / 'out') == before


def test_files_of_another_origin_are_refused(images, tmp_path):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/5.json').write_text('{}')
    with pytest.raises(ValueError, match=r"5\.json' exists, and .* has no manifest"):
        run(images, tmp_path / 'out')
    assert list(tree(tmp_path / 'out')) == ['5.json']


def test_masks_never_overwrite_images(images, tmp_path):
    before = tree(images)
    with pytest.raises(ValueError, match=r"overwrite the image '.*png'"):
        run(images, images, 'regions')
    assert tree(images) == before
    assert run(images, images).made == 6


def test_maps_within_the_folder_of_images_are_not_taken_for_images(images):
    for _ in range(2):
        assert run(images, images / 'maps', 'regions').images == 6


def test_images_of_one_stem_share_a_file(images, tmp_path):
    Image.new('RGB', (5, 5)).save(images / 'a/1.png')
    report = run(images, tmp_path / 'out')
    assert report.made == 6
    assert report.unreadable == [('a/1.png', 'a/1.jpg has the same mask file')]


def test_unreadable_images_cost_nothing_else(images, tmp_path):
    expected = run(images, tmp_path / 'good')
    whole = (images / 'a/1.jpg').read_bytes()
    png = (images / '5.png').read_bytes()
    bad = {
        'cut.jpg': whole[:-20],
        'cut.png': png[: len(png) // 2],
        'head.jpg': whole[:40],
        'noise.webp': bytes(range(256)),
        'zero.jpg': b'',
    }
    for name, content in bad.items():
        (images / name).write_bytes(content)
    report = run(images, tmp_path / 'out')
    assert report.made == expected.made
    assert [name for name, _ in report.unreadable] == sorted(bad)
    reasons = dict(report.unreadable)
    assert (
        reasons['cut.jpg'] == 'the JPEG is cut off' and reasons['zero.jpg'] == 'the file is empty'
    )
    good = masks_of(tmp_path / 'good')
    assert masks_of(tmp_path / 'out') == good


def test_an_unreadable_folder_costs_nothing_else(images, tmp_path, monkeypatch):
    real = os.scandir

    def scandir(path='.'):
        if str(path).endswith('deep'):
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return real(path)

    # The tests may run as root, whom permissions do not stop.
    monkeypatch.setattr(os, 'scandir', scandir)
    source = open_image_source(images)
    assert source.unreadable == [('a/deep', 'folder cannot be listed (Permission denied)')]
    assert len(source.names) == 5


def write_odd_images(folder):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (12, 20, 3)).astype(np.uint8)
    image = Image.fromarray(colours)
    image.convert('CMYK').save(folder / 'cmyk.jpg')
    image.convert('L').save(folder / 'grey.jpg')
    image.convert('P').save(folder / 'palette.png')
    image.convert('RGBA').save(folder / 'alpha.png')
    cv2.imwrite(str(folder / 'colour16.png'), colours.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / 'grey16.png'), colours[..., 0].astype(np.uint16) * 257)
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


def test_what_a_generator_cannot_use_is_listed(images, tmp_path):
    def picky(image):
        if image.shape == load_as_trainer(images / '5.png').shape:
            raise ValueError('too\nsmall')
        return four_tiles(image)

    report = run(images, tmp_path / 'out', make=picky)
    assert report.made == 5 and report.unreadable == [('5.png', 'too\nsmall')]
    lines = (tmp_path / 'out/.manifest/unreadable-0-of-1.txt').read_text()
    assert lines == '5.png\ttoo small\n'


def test_a_full_disk_stops_with_the_files_name_and_no_half_file(images, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    real, calls = os.fdopen, []

    class FullDisk(HalfWritten):
        def write(self, content):
            self.file.write(content[:5])
            raise OSError(errno.ENOSPC, 'No space left on device')

    def fdopen(*args):
        calls.append(args)
        return real(*args) if len(calls) < 4 else FullDisk(real(*args), None)

    monkeypatch.setattr(os, 'fdopen', fdopen)
    with pytest.raises(OSError, match=r"No space left on device: '.*a/2\.json'"):
        run(images, out)
    assert set(masks_of(out)) == {'5.json', 'a/1.json'}
    monkeypatch.undo()
    assert run(images, out).made == 4


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


def test_two_runs_at_once_lose_nothing(images, tmp_path):
    run(images, tmp_path / 'one')
    expected = tree(tmp_path / 'one')
    for attempt in range(5):
        out = tmp_path / f'two{attempt}'
        errors = []

        def work(out=out, errors=errors):
            try:
                run(images, out)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors and tree(out) == expected


def test_unknown_generators_and_options_are_named():
    with pytest.raises(ValueError, match="no generator 'sams'; there are felzenszwalb, slic"):
        build_generator('sams')
    for name in ('felzenszwalb', 'slic', 'dino'):
        with pytest.raises(ValueError, match=r"unknown options \['sigmas'\]"):
            build_generator(name, sigmas=1)
    assert build_generator('felzenszwalb', scale=7).settings['scale'] == 7


def test_dino_regions_do_not_depend_on_what_came_before():
    options = dict(model_name='test_vit', pretrained=False, num_clusters=5, pixels=80 * 80)
    torch.manual_seed(0)
    generator = build_generator('dino', **options)
    image = np.random.default_rng(0).integers(0, 256, (30, 70, 3)).astype(np.uint8)
    regions = generator.regions(image)
    generator.regions(image[::2])
    assert np.array_equal(generator.regions(image), regions)
    assert regions.shape == (30, 70) and regions.dtype == np.int32
    assert set(np.unique(regions)) == set(range(5))
    assert len(generator.masks(image)) == 5
    for size in ((1, 1), (2, 900)):
        assert generator.regions(np.zeros((*size, 3), np.uint8)).shape == size
