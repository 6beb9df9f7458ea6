"""Segmentation of many images to files: formats, resumed runs and bad images."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.apis.export_run import export_results
from mmseg_langseg.apis.model_zoo import MODELS, list_models, model_config
from mmseg_langseg.apis.rejection import Rejection
from mmseg_langseg.cli.commands import _main
from mmseg_langseg.models.text_encoders import Vocabulary

TEXTS = 'ring; star, spark; clouds'
FORMATS = ('labels', 'coco', 'overlay')


@pytest.fixture(scope='module')
def segment():
    return LangSegInferencer('embedded', device='cpu')


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for name, size in (('a.png', (40, 60)), ('day 1/b.jpg', (64, 64)), ('day 1/c.PNG', (50, 30))):
        path = tmp_path / 'photos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)
    return tmp_path / 'photos'


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def test_all_images_in_all_formats(segment, photos, tmp_path):
    out = tmp_path / 'out'
    report = export_results(segment, photos, TEXTS, out, FORMATS, batch_size=2, quiet=True)
    assert (report.written, report.resumed, report.bad) == (3, 0, [])
    for name in ('a.png', 'day 1/b.jpg', 'day 1/c.PNG'):
        labels = np.asarray(Image.open((out / 'labels' / name).with_suffix('.png')))
        assert np.array_equal(labels, segment(photos / name, TEXTS).labels)
    content = json.loads((out / 'coco.json').read_text())
    assert [i['file_name'] for i in content['images']] == ['a.png', 'day 1/b.jpg', 'day 1/c.PNG']
    assert [c['name'] for c in content['categories']] == ['ring', 'star', 'clouds']
    assert (out / 'classes.txt').read_text() == 'ring\nstar\nclouds\n'


def test_a_run_resumes_with_what_is_missing(segment, photos, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    export_results(segment, photos, TEXTS, out, FORMATS, quiet=True)
    before = tree(out)
    again = export_results(segment, photos, TEXTS, out, FORMATS, quiet=True)
    assert (again.written, again.resumed) == (0, 3) and tree(out) == before
    (out / 'labels' / 'a.png').unlink()
    report = export_results(segment, photos, TEXTS, out, FORMATS, quiet=True)
    assert (report.written, report.resumed) == (1, 2) and tree(out) == before
    with pytest.raises(ValueError, match=r'other settings \(texts\)'):
        export_results(segment, photos, 'ring; heart', out, FORMATS, quiet=True)
    with pytest.raises(ValueError, match=r'other settings \(threshold\)'):
        export_results(segment, photos, TEXTS, out, FORMATS, threshold=0.5, quiet=True)
    monkeypatch.setitem(segment.settings, 'model', 'another')
    with pytest.raises(ValueError, match=r'other settings \(model\).*--overwrite'):
        export_results(segment, photos, TEXTS, out, FORMATS, quiet=True)
    monkeypatch.undo()
    options = dict(overwrite=True, quiet=True)
    report = export_results(segment, photos, 'ring; heart', out, ['labels'], **options)
    assert report.written == 3 and (out / 'classes.txt').read_text() == 'ring\nheart\n'


def test_bad_images_are_reported(segment, photos, tmp_path):
    (photos / 'text.jpg').write_text('text')
    report = export_results(segment, photos, TEXTS, tmp_path / 'out', ['labels'], quiet=True)
    assert report.written == 3 and report.bad[0][0] == 'text.jpg'
    for path in photos.rglob('*.*'):
        path.write_text('text')
    with pytest.raises(ValueError, match='None of the 4 images can be read'):
        export_results(segment, photos, TEXTS, tmp_path / 'none', ['labels'], quiet=True)


def test_what_cannot_be_exported_is_named_at_once(segment, photos, tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(ValueError, match=r"formats is \['tiff'\]; expected some of coco"):
        export_results(segment, photos, TEXTS, out, ['tiff'])
    with pytest.raises(ValueError, match='no file name'):
        export_results(segment, np.zeros((8, 8, 3), np.uint8), TEXTS, out)
    shutil.copy(photos / 'a.png', photos / 'a.jpg')
    with pytest.raises(ValueError, match=r"'a\.jpg' and 'a\.png'"):
        export_results(segment, photos, TEXTS, out)
    assert not out.exists()


def test_outputs_are_no_inputs(segment, photos):
    before = tree(photos)
    with pytest.raises(ValueError, match=r'the output .* is the input'):
        export_results(segment, photos, TEXTS, photos, ['labels'], quiet=True)
    assert tree(photos) == before
    for written in (3, 0):
        report = export_results(segment, photos, TEXTS, photos / 'out', ['labels'], quiet=True)
        assert report.written == written


def test_rejected_pixels_are_a_class_of_label_maps_only(segment, photos, tmp_path):
    out = tmp_path / 'out'
    export_results(segment, photos, TEXTS, out, ['labels', 'coco'], threshold=0.6, quiet=True)
    labels = np.asarray(Image.open(out / 'labels' / 'a.png'))
    assert (labels == 3).any()
    content = json.loads((out / 'coco.json').read_text())
    assert len(content['categories']) == 3
    area = sum(a['area'] for a in content['annotations'] if a['image_id'] == 1)
    assert area == (labels != 3).sum()


def test_a_class_of_the_user_called_other_is_annotated(segment, photos, tmp_path):
    export_results(segment, photos, 'ring; other', tmp_path / 'out', ['coco'], quiet=True)
    content = json.loads((tmp_path / 'out' / 'coco.json').read_text())
    assert [c['name'] for c in content['categories']] == ['ring', 'other']


def test_georeference_comes_from_the_input(segment, tmp_path):
    rasterio = pytest.importorskip('rasterio')
    transform = rasterio.Affine(0.5, 0, 300000, 0, -0.5, 5000000)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 30, 40), np.uint8)
    (tmp_path / 'maps').mkdir()
    profile = dict(driver='GTiff', height=30, width=40, count=3, dtype='uint8')
    with rasterio.open(
        tmp_path / 'maps' / 'x.tif', 'w', crs='EPSG:32632', transform=transform, **profile
    ) as file:
        file.write(pixels)
    labels = segment(tmp_path / 'maps' / 'x.tif', TEXTS).labels
    for inputs, out in ((tmp_path / 'maps', 'a'), (tmp_path / 'maps' / 'x.tif', 'b')):
        export_results(segment, inputs, TEXTS, tmp_path / out, ['geotiff'], quiet=True)
        with rasterio.open(tmp_path / out / 'geotiff' / 'x.tif') as file:
            assert file.crs.to_epsg() == 32632 and file.transform == transform
            assert np.array_equal(file.read(1), labels)


@pytest.mark.parametrize(
    ('texts', 'options', 'classes'),
    [
        ('a; b', {}, ('a', 'b')),
        ('a; b', dict(threshold=0.5), ('a', 'b', 'other')),
        ('a; b', dict(min_margin=0.5), ('a', 'b', 'other')),
        ('person', {}, ('person', 'other')),
        ('person', dict(threshold=0.5), ('person', 'other')),
        ('a; other', dict(threshold=0.5), ('a', 'other')),
        ('other; a', dict(threshold=0.5), ('other', 'a')),
        (Vocabulary.from_names(['a'], ['b', 'c']), {}, ('a', 'background')),
        (Vocabulary.from_names(['a'], ['b']), dict(threshold=1.0), ('a', 'background', 'other')),
        (Vocabulary.from_names(['a', 'background'], ['b']), {}, ('a', 'background')),
    ],
)
def test_classes_are_those_of_the_results(segment, texts, options, classes):
    if isinstance(texts, str):
        texts = Vocabulary.from_string(texts)
    assert Rejection(**options).classes(texts) == classes
    image = np.zeros((16, 16, 3), np.uint8)
    assert segment(image, texts, **options).classes == classes


def test_the_commands(photos, tmp_path, capsys):
    _main(['models'])
    assert capsys.readouterr().out.strip() == list_models()
    arguments = ['segment', str(photos), '--texts', TEXTS, '--out', str(tmp_path / 'out')]
    _main([*arguments, '--model', 'embedded', '--device', 'cpu', '--quiet'])
    assert '3 images segmented; results in' in capsys.readouterr().out
    assert len(list((tmp_path / 'out' / 'overlays').rglob('*.*'))) >= 3
    with pytest.raises(ValueError, match=r'one class|empty|not valid|name'):
        _main([*arguments[:3], ';', *arguments[4:]])


def test_short_names_of_models():
    for name, model in MODELS.items():
        if model.is_trained:
            with pytest.raises(ValueError, match=r'needs a trained checkpoint.*pixelclip2mmseg'):
                model_config(name, None)
        config = model_config(name, 'weights.pth')
        assert os.path.isfile(config)
    assert model_config('configs/x.py', None) == 'configs/x.py'
