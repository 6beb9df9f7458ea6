"""Unusual and broken images, names and folders in runs over many images."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmseg_langseg.apis import LangSegInferencer, read_image
from mmseg_langseg.apis.export_run import export_results
from mmseg_langseg.apis.image_inputs import image_inputs
from mmseg_langseg.export import EXPORTERS
from mmseg_langseg.fileio import LangSegWarning
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.scripts import ROOT

TEXTS = 'ring; star, spark; clouds'
SIZE = (30, 24)

# The process is killed within the second of the three heat maps of the third image.
KILLED_WRITER = """
import os, signal
from pathlib import Path
from mmseg_langseg.cli import main

written, real = [], Path.write_bytes

def write_bytes(path, content):
    written.append(path)
    if len(written) == 8:
        real(path, content[:len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, content)

Path.write_bytes = write_bytes
main()
"""


@pytest.fixture(scope='module')
def segment():
    return LangSegInferencer('embedded', device='cpu')


def pixels(seed=0):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8)).resize(SIZE)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for name in ('a.png', 'z.png'):
        pixels().save(folder / name)
    return folder


def formats():
    try:
        import rasterio  # noqa: F401
    except ImportError:
        return [name for name in EXPORTERS if name != 'geotiff']
    return list(EXPORTERS)


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'tif', 'webp'])
def test_turned_images_are_read_as_people_see_them(suffix, tmp_path):
    options = dict(lossless=True) if suffix == 'webp' else dict(quality=95)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f'{orientation}.{suffix}'
        pixels().save(path, exif=exif, **(options if suffix != 'tif' else {}))
        with Image.open(path) as stored:
            expected = np.asarray(ImageOps.exif_transpose(stored).convert('RGB'))
        found = read_image(path)
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).mean() < 4


def test_exports_fit_turned_images_and_images_of_all_kinds(segment, photos, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels().save(photos / 'turned.jpg', exif=exif)
    pixels().convert('CMYK').save(photos / 'ink.jpg')
    pixels().convert('LA').save(photos / 'clear.png')
    pixels().resize((1, 1)).save(photos / 'dot.png')
    Image.fromarray(np.zeros((24, 30), np.uint16)).save(photos / 'deep.png')
    Image.fromarray(np.zeros((24, 30), np.float32)).save(photos / 'float.tif')
    out = tmp_path / 'out'
    report = export_results(segment, photos, TEXTS, out, formats(), quiet=True)
    assert report.written == 7 and [name for name, _ in report.bad] == ['float.tif']
    content = json.loads((out / 'coco.json').read_text())
    sizes = {i['file_name']: (i['width'], i['height']) for i in content['images']}
    assert sizes['turned.jpg'] == (24, 30) and sizes['dot.png'] == (1, 1)
    for name, size in sizes.items():
        stem = name.partition('.')[0]
        for path in [*out.glob(f'labels/{stem}.png'), *out.glob(f'geotiff/{stem}.tif')]:
            with Image.open(path) as picture:
                assert picture.size == size, path


def test_files_that_are_no_images_cost_nothing_else(segment, photos, tmp_path):
    whole = (photos / 'a.png').read_bytes()
    pixels().save(photos / 'cut.jpg')
    (photos / 'cut.jpg').write_bytes((photos / 'cut.jpg').read_bytes()[:-30])
    (photos / 'cut.png').write_bytes(whole[:-60])
    (photos / 'empty.jpg').touch()
    (photos / 'page.jpg').write_text('<html>404</html>')
    (photos / '.hidden.jpg').write_bytes(whole)
    (photos / 'loop.jpg').symlink_to('loop.jpg')
    (photos / 'dangling.jpg').symlink_to('gone.jpg')
    (photos / 'endless.jpg').symlink_to('/dev/zero')
    (photos / 'again').symlink_to(photos)
    os.mkfifo(photos / 'pipe.jpg')
    (photos / 'folder.mp4').mkdir()
    (photos / 'folder.mp4' / 'x.png').write_bytes(whole)
    report = export_results(segment, photos, TEXTS, tmp_path / 'out', ['heatmaps'], quiet=True)
    assert report.written == 3
    reasons = dict(report.bad)
    assert set(reasons) == {
        *('cut.jpg', 'cut.png', 'empty.jpg', 'page.jpg', 'loop.jpg', 'dangling.jpg'),
        *('endless.jpg', 'pipe.jpg'),
    }
    assert 'not a regular file' in reasons['pipe.jpg'] and 'truncated' in reasons['cut.jpg']
    assert [image.name for image in image_inputs(photos / 'folder.mp4')] == ['x.png']


def test_folders_that_cannot_be_listed_are_said(photos, monkeypatch):
    (photos / 'locked').mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith('locked'):
            raise PermissionError(13, 'Permission denied', str(path))
        return real(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    with pytest.warns(LangSegWarning, match=r"'locked' is left out.*Permission denied"):
        assert [image.name for image in image_inputs(photos)] == ['a.png', 'z.png']


def test_a_run_without_any_image_leaves_nothing(segment, photos, tmp_path):
    out = tmp_path / 'out'
    cases = [
        (photos / 'gone.jpg', out, r'The image cannot be read; gone\.jpg: There is no image file'),
        ('', out, 'An input is an empty string'),
        (photos, '', 'out_dir is an empty string'),
        ([photos / 'a.png'] * 2, out, r"'a\.png' occurs twice in the inputs"),
        (tmp_path / 'list.txt', out, r'a list names images in its own folder'),
    ]
    (tmp_path / 'list.txt').write_text(f'{tmp_path.parent}/x.jpg')
    for inputs, folder, message in cases:
        with pytest.raises(ValueError, match=message):
            export_results(segment, inputs, TEXTS, folder, ['labels'], quiet=True)
    assert not out.exists()
    with pytest.raises(NotADirectoryError, match=r'a\.png. is a file'):
        export_results(segment, photos, TEXTS, photos / 'a.png', ['labels'], quiet=True)


def test_lists_of_any_line_ends(photos):
    listed = photos / 'list.txt'
    listed.write_bytes('\ufeffa.png\r\n\r\n  z.png \n./a.png\n'.encode())
    assert [image.name for image in image_inputs(listed)] == ['a.png', 'z.png']
    listed.write_bytes('a.png\n'.encode('utf-16'))
    with pytest.raises(ValueError, match='UTF-8'):
        list(image_inputs(listed))


def test_iterators_are_inputs(segment, photos, tmp_path):
    files = (photos / name for name in ('a.png', 'z.png'))
    report = export_results(segment, files, TEXTS, tmp_path / 'out', ['labels'], quiet=True)
    assert report.written == 2


def test_images_of_two_folders_have_no_georeference(segment, photos, tmp_path):
    pytest.importorskip('rasterio')
    (tmp_path / 'more').mkdir()
    pixels().save(tmp_path / 'more' / 'b.png')
    files = [photos / 'a.png', tmp_path / 'more' / 'b.png']
    with pytest.warns(LangSegWarning, match='have no georeference'):
        export_results(segment, files, TEXTS, tmp_path / 'out', ['geotiff'], quiet=True)


def test_only_classes_for_everything_else(segment, photos):
    background = Vocabulary(('background',), (), (('sky',),))
    for texts in ('other', 'Background', background):
        with pytest.raises(ValueError, match=r'The only class is .* what is to be found'):
            segment(photos / 'a.png', texts)


@pytest.mark.multiprocess
def test_a_killed_run_resumes_to_the_files_of_an_undisturbed_one(segment, photos, tmp_path):
    for number in range(12):
        pixels(number).save(photos / f'{number}.png')
    export_results(segment, photos, TEXTS, tmp_path / 'whole', formats(), quiet=True)
    out = tmp_path / 'out'
    command = [
        *(sys.executable, '-c', KILLED_WRITER, 'segment'),
        *(str(photos), '--texts', TEXTS, '--out', str(out), '--format', *formats()),
        *('--model', 'embedded', '--device', 'cpu', '--quiet'),
    ]
    killed = subprocess.run(command, env=dict(os.environ, PYTHONPATH=str(ROOT)), timeout=300)
    assert killed.returncode == -signal.SIGKILL
    expected, found = tree(tmp_path / 'whole'), tree(out)
    finished = {name: content for name, content in found.items() if '.tmp' not in name}
    assert finished.items() <= expected.items() and 'coco.json' not in found
    assert any(name.startswith('heatmaps/.') for name in found)
    stamps = {name: (out / name).stat().st_mtime_ns for name in finished}
    for name in ('coco.json', '.segment.json', 'labels/.export.json', 'labels/0.png'):
        (out / f'{name}.1a2b3c4d.tmp').write_bytes(b'half')
    report = export_results(segment, photos, TEXTS, out, formats(), quiet=True)
    assert (report.resumed, report.written) == (2, 12)
    assert tree(out) == expected
    assert {name: (out / name).stat().st_mtime_ns for name in stamps} == stamps
