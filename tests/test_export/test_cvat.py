import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mmseg_langseg.export import CVATExporter
from tests.test_export.conftest import CLASSES, export, make_result


def read(path):
    """Return label names and label maps by image, following CVAT's description of the format."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        colors = {}
        for line in archive.read('labelmap.txt').decode().splitlines():
            if line and not line.startswith('#'):
                name, color, _, _ = line.split(':')
                colors[tuple(map(int, color.split(',')))] = name
        assert len(set(colors.values())) == len(colors)
        maps = {}
        lines = archive.read('ImageSets/Segmentation/default.txt').decode().splitlines()
        for stem in lines:
            content = io.BytesIO(archive.read(f'SegmentationClass/{stem}.png'))
            picture = np.asarray(Image.open(content))
            names = np.empty(picture.shape[:2], object)
            for y, x in np.ndindex(names.shape):
                names[y, x] = colors[tuple(picture[y, x].tolist())]
            maps[stem] = names
    return list(colors.values()), maps


def stem(name):
    return name.rpartition('.')[0]


def test_each_pixel_has_its_name(results, tmp_path):
    (path,) = export(CVATExporter(tmp_path, CLASSES), results)
    names, maps = read(path)
    assert names == ['background', *CLASSES[:4]] and len(maps) == len(results)
    expected = np.array([*CLASSES[:4], 'background'], object)
    for name, result in results.items():
        assert (maps[stem(name)] == expected[result.labels]).all()


def test_class_named_background(tmp_path):
    (path,) = export(
        CVATExporter(tmp_path, ('cat', 'background')),
        {'a.jpg': make_result([[0, 1]], ('cat', 'background'))},
    )
    names, maps = read(path)
    assert names == ['background', 'cat'] and maps['a'].tolist() == [['cat', 'background']]


def test_300_classes(many, tmp_path):
    with pytest.raises(ValueError, match='300 classes'):
        CVATExporter(tmp_path, many.classes).add('a.jpg', many)
    part = make_result(many.labels[:20], many.classes)
    (path,) = export(CVATExporter(tmp_path, many.classes), {'a.jpg': part})
    _, maps = read(path)
    assert (maps['a'] == np.array(many.classes, object)[part.labels]).all()


def test_objects_are_components_of_one_class(results, tmp_path):
    (path,) = export(CVATExporter(tmp_path, CLASSES), results)
    for name, result in results.items():
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read(f'SegmentationObject/{stem(name)}.png'))
        picture = np.asarray(Image.open(content)).astype(int)
        numbers = picture @ [1 << 16, 1 << 8, 1]
        assert np.array_equal(numbers == 0, result.labels == 4)
        objects = np.unique(numbers[numbers > 0])
        assert len(objects) <= 255
        count = 0
        for label in range(4):
            count += ndimage.label(result.labels == label, np.ones((3, 3)))[1]
        assert len(objects) == count or count > 200
        for number in objects:
            assert len(np.unique(result.labels[numbers == number])) == 1


@pytest.mark.parametrize('name', ['a:b', '#a', ' a', 'a '])
def test_class_name_that_the_label_map_cannot_hold(name, tmp_path):
    with pytest.raises(ValueError, match='label map cannot hold'):
        CVATExporter(tmp_path, ('cat', name))
    CVATExporter(tmp_path, ('cat', name), skip=(name,))


@pytest.mark.parametrize('name', ['#a.jpg', ' a.jpg', 'b/a .jpg', 'a\nb.jpg'])
def test_image_name_that_the_list_cannot_hold(name, tmp_path):
    with pytest.raises(ValueError, match='list of images cannot hold'):
        CVATExporter(tmp_path, CLASSES).check_names([name])


def test_datumaro_reads_each_pixel(results, tmp_path):
    datumaro = pytest.importorskip('datumaro')
    (path,) = export(CVATExporter(tmp_path, CLASSES), results)
    folder = tmp_path / 'unzipped'
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    dataset = datumaro.Dataset.import_from(str(folder), 'voc_segmentation')
    names = [label.name for label in dataset.categories()[datumaro.AnnotationType.label]]
    assert names == ['background', *CLASSES[:4]]
    expected = np.array([*range(4), -1])
    items = {item.id: item for item in dataset}
    assert items.keys() == {stem(name) for name in results}
    for name, result in results.items():
        found = np.full(result.labels.shape, -1)
        for mask in items[stem(name)].annotations:
            # CVAT refuses an annotation of the label 'background'.
            assert names[mask.label] != 'background'
            found[mask.image.astype(bool)] = mask.label - 1
        assert np.array_equal(found, expected[result.labels])
