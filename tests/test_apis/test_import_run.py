import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.apis import run_test
from mmseg_langseg.apis.command_line import run_command
from mmseg_langseg.apis.import_run import import_annotations
from mmseg_langseg.cli.commands import _main
from mmseg_langseg.datasets import FolderSegDataset, LoadLabelMap
from mmseg_langseg.export import COCOExporter, CVATExporter
from tests.configs import load
from tests.test_export.conftest import (  # noqa: F401  (fixtures)
    CLASSES,
    export,
    make_result,
    many,
    results,
)
from tests.test_importing.conftest import coco_file, cvat_file, png
from tests.test_tools.test_own_folder import shrink

EXPORTERS = dict(coco=COCOExporter, cvat=CVATExporter)
TRIANGLE = [[0, 0, 5, 0, 5, 4]]


def write_photos(folder, shapes):
    rng = np.random.default_rng(0)
    for name, shape in shapes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def read_labels(out):
    """Return class names, and label maps by image as a test loads them."""
    dataset = FolderSegDataset(
        'classes.txt', str(out), dict(img_path='val/images', seg_map_path='val/labels')
    )
    ignored = dataset.ignore_index
    maps = {}
    for i in range(len(dataset)):
        loaded = LoadLabelMap(ignore_index=ignored)(dataset.get_data_info(i))
        name = loaded['img_path'].split('val/images/')[1]
        maps[name] = loaded['gt_seg_map'].astype(int)
    return dataset.metainfo['classes'], ignored, maps


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


@pytest.fixture
def photos(tmp_path):
    return write_photos(tmp_path / 'photos', {'a.jpg': (4, 6), 'b.jpg': (4, 6)})


def both(folder):
    """Write a COCO file of two images and return its content as well."""
    path = coco_file(folder, [(7, TRIANGLE)])
    content = json.loads(path.read_text())
    content['images'].append(dict(content['images'][0], id=10, file_name='b.jpg'))
    content['annotations'].append(dict(content['annotations'][0], id=5, image_id=10))
    path.write_text(json.dumps(content))
    return path, content


@pytest.mark.parametrize('kind', EXPORTERS)
def test_each_pixel_of_our_exports_comes_back(kind, results, tmp_path):  # noqa: F811
    path = export(EXPORTERS[kind](tmp_path / 'out', CLASSES), results)[0]
    shapes = {name: result.labels.shape for name, result in results.items()}
    photos = write_photos(tmp_path / 'photos', shapes)
    report = import_annotations(path, photos, tmp_path / 'set', quiet=True)
    assert (report.written, report.kept, report.empty) == (len(results), 0, 1)
    classes, _, maps = read_labels(tmp_path / 'set')
    assert tuple(classes) == report.classes == CLASSES[:4] and maps.keys() == results.keys()
    for name, result in results.items():
        assert np.array_equal(maps[name], np.where(result.labels == 4, 255, result.labels))
        assert (tmp_path / 'set/val/images' / name).read_bytes() == (photos / name).read_bytes()

    import_annotations(path, photos, tmp_path / 'other', unlabeled='other', quiet=True)
    classes, _, maps = read_labels(tmp_path / 'other')
    assert tuple(classes) == CLASSES
    for name, result in results.items():
        assert np.array_equal(maps[name], result.labels)


def test_unlabeled_pixels_of_an_existing_class(tmp_path):
    classes = ('background', 'cat', 'dog')
    result = make_result([[0, 1, 2]], classes)
    for kind in EXPORTERS:
        (path,) = export(EXPORTERS[kind](tmp_path / kind, classes), {'a.png': result})
        photos = write_photos(tmp_path / 'photos', {'a.png': (1, 3)})
        out = tmp_path / f'{kind}_set'
        import_annotations(path, photos, out, unlabeled='background', quiet=True)
        names, _, maps = read_labels(out)
        assert [names[label] for label in maps['a.png'][0]] == list(classes)


def test_300_classes(many, tmp_path):  # noqa: F811
    (path,) = export(COCOExporter(tmp_path, many.classes), {'a.png': many})
    photos = write_photos(tmp_path / 'photos', {'a.png': many.labels.shape})
    import_annotations(path, photos, tmp_path / 'set', quiet=True)
    classes, ignored, maps = read_labels(tmp_path / 'set')
    assert ignored == 65535 and tuple(classes) == many.classes
    assert np.array_equal(maps['a.png'], many.labels)


def test_masks_fit_the_image_as_people_see_it(tmp_path):
    (tmp_path / 'photos').mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (4, 6)).save(tmp_path / 'photos/a.jpg', exif=exif)
    path = coco_file(tmp_path, [(7, TRIANGLE)])
    import_annotations(path, tmp_path / 'photos', tmp_path / 'set', quiet=True)
    assert read_labels(tmp_path / 'set')[2]['a.jpg'].shape == (4, 6)
    path = coco_file(tmp_path, [(7, TRIANGLE)], height=6, width=4)
    with pytest.raises(ValueError, match='EXIF orientation'):
        import_annotations(path, tmp_path / 'photos', tmp_path / 'set', quiet=True)


def test_one_broken_annotation_costs_nothing_else(photos, tmp_path):
    path, content = both(tmp_path)
    content['annotations'][0]['category_id'] = 8
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"1 of the 2 images .*a\.jpg: .*'category_id' is 8"):
        import_annotations(path, photos, tmp_path / 'set', quiet=True)
    written = {'val/images/b.jpg', 'val/labels/b.png'}
    assert tree(tmp_path / 'set').keys() == written  # no classes.txt, so no test by mistake
    stamp = (tmp_path / 'set/val/labels/b.png').stat().st_mtime_ns
    (tmp_path / 'set/val/labels/b.png.x1.tmp').write_bytes(b'of a killed process')
    report = import_annotations(both(tmp_path)[0], photos, tmp_path / 'set', quiet=True)
    assert (report.written, report.kept) == (1, 1)
    assert (tmp_path / 'set/val/labels/b.png').stat().st_mtime_ns == stamp
    assert len(tree(tmp_path / 'set')) == 5 and len(read_labels(tmp_path / 'set')[2]) == 2


def test_nothing_is_replaced_unless_asked(photos, tmp_path):
    out = tmp_path / 'set'
    import_annotations(both(tmp_path)[0], photos, out, quiet=True)
    before = tree(out)
    corrected = coco_file(tmp_path, [(3, TRIANGLE)])
    with pytest.raises(ValueError, match=r'1 of the 1 images .*a\.png. exists .*overwrite'):
        import_annotations(corrected, photos, out, quiet=True)
    renamed = coco_file(tmp_path, [(7, TRIANGLE)], categories=[(7, 'dog')])
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r'label maps of other images \(val/labels/b\.png\)'):
            import_annotations(renamed, photos, out, overwrite=overwrite, quiet=True)
    path, content = both(tmp_path)
    content['categories'][0]['name'] = 'dog'
    path.write_text(json.dumps(content))
    with pytest.raises(FileExistsError, match=r'classes\.txt. has other classes'):
        import_annotations(path, photos, out, quiet=True)
    assert tree(out) == before

    import_annotations(path, photos, out, overwrite=True, quiet=True)
    assert (out / 'classes.txt').read_text('utf-8') == 'dog\n草地\n'
    corrected = coco_file(tmp_path, [(3, TRIANGLE)], categories=[(7, 'dog'), (3, '草地')])
    import_annotations(corrected, photos, out, overwrite=True, quiet=True)
    maps = read_labels(out)[2]
    assert set(np.unique(maps['a.jpg'])) == {1, 255} and set(np.unique(maps['b.jpg'])) == {0, 255}


def test_a_failed_replacement_keeps_the_classes(photos, tmp_path):
    out = tmp_path / 'set'
    path = coco_file(tmp_path, [(7, TRIANGLE)])
    import_annotations(path, photos, out, quiet=True)
    before = tree(out)
    broken = coco_file(tmp_path, [(7, [])], categories=[(7, 'dog')])
    with pytest.raises(ValueError, match='expected a list of polygons'):
        import_annotations(broken, photos, out, overwrite=True, quiet=True)
    assert tree(out) == before


def test_images_in_place_and_images_of_another_file(photos, tmp_path):
    out = tmp_path / 'set'
    shutil.copytree(photos, out / 'val/images')
    before = tree(out)
    path = coco_file(tmp_path, [(7, TRIANGLE)])
    import_annotations(path, out / 'val/images', out, overwrite=True, quiet=True)
    second = cvat_file(tmp_path, {'SegmentationClass/b.png': png([[1] * 6] * 4)})
    import_annotations(second, out / 'val/images', out, quiet=True)
    assert {name: content for name, content in tree(out).items() if 'images' in name} == before
    maps = read_labels(out)[2]
    assert (maps['b.jpg'] == 0).all() and (maps['a.jpg'] == 255).any()


def test_names_that_do_not_fit(photos, tmp_path):
    out = tmp_path / 'set'
    path = coco_file(tmp_path, [(7, TRIANGLE)], file_name='c.jpg')
    with pytest.raises(ValueError, match=r"1 of the 1 images of .* are not in .*: 'c\.jpg'"):
        import_annotations(path, photos, out)
    with pytest.raises(FileNotFoundError, match='no image folder'):
        import_annotations(path, tmp_path / 'nowhere', out)
    shutil.copy(photos / 'a.jpg', photos / 'a.JPEG')
    path = cvat_file(tmp_path, {'SegmentationClass/a.png': png([[1] * 6] * 4)})
    with pytest.raises(ValueError, match=r"several images of this name: 'a\.JPEG', 'a\.jpg'"):
        import_annotations(path, photos, out)
    path, content = both(tmp_path)
    content['images'][1]['file_name'] = 'a.JPEG'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"'a\.jpg' and 'a\.JPEG' would both"):
        import_annotations(path, photos, out)
    for name in ('cat', 'a;b', '', 'x\0'):
        path = coco_file(tmp_path, [(7, TRIANGLE)], categories=[(7, 'Cat'), (8, name)])
        with pytest.raises(ValueError, match=r"Classes of '.*instances_default\.json'"):
            import_annotations(path, photos, out)
    assert not out.exists()


def test_photos_are_never_replaced_by_label_maps(tmp_path):
    out = tmp_path / 'set'
    photos = write_photos(out / 'val/labels', {'a.png': (4, 6)})
    path = coco_file(tmp_path, [(7, TRIANGLE)], file_name='a.png')
    before = tree(out)
    with pytest.raises(ValueError, match=r'the input .*a\.png. would be overwritten'):
        import_annotations(path, photos, out, overwrite=True)
    assert tree(out) == before


def test_imported_folder_is_tested_at_once(photos, tmp_path, capsys, monkeypatch):
    root = tmp_path / 'data'
    monkeypatch.setattr('sys.argv', ['langseg'])
    arguments = ['import', str(both(tmp_path)[0]), '--images', str(photos), '--out', str(root)]
    run_command(lambda: _main([*arguments, '--quiet', '--unlabeled', 'background']))
    assert capsys.readouterr().out == f'{root}: 2 images with 3 classes\n'
    config = shrink(load('pixelclip/vit-b16_test-photos.py'), tmp_path)
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    config.test_dataloader.dataset.data_root = str(root)
    config.test_dataloader.dataset.pipeline[1].scale = (128, 64)
    assert 0 <= run_test(config, None, work_dir=str(tmp_path / 'test'))['mIoU'] <= 100
    with pytest.raises(SystemExit, match=r'^langseg: .*classes\.txt. has other classes'):
        run_command(lambda: _main([*arguments, '--quiet']))
