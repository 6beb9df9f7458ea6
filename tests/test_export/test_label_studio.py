import json
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np

from mmseg_langseg.export import LabelStudioExporter
from tests.test_export.conftest import CLASSES, export
from tests.test_export.test_brush_rle import decode


def labels_of(task, classes, size):
    labels = np.full(size, -1)
    (prediction,) = task['predictions']
    for mask in prediction['result']:
        assert (mask['original_height'], mask['original_width']) == size
        assert mask['type'] == 'brushlabels' and mask['value']['format'] == 'rle'
        (name,) = mask['value']['brushlabels']
        inside = decode(mask['value']['rle']).reshape(*size, 4)[..., 3] == 255
        assert (labels[inside] == -1).all()
        labels[inside] = classes.index(name)
    return labels


def test_each_pixel_has_its_brush(results, tmp_path):
    path, interface = export(LabelStudioExporter(tmp_path, CLASSES), results)
    tasks = json.loads(path.read_bytes())
    assert len(tasks) == len(results)
    prefix = '/data/local-files/?d='
    for task, (name, result) in zip(tasks, results.items(), strict=True):
        url = task['data']['image']
        assert url.isascii() and ' ' not in url and unquote(url) == prefix + name
        expected = np.where(result.labels == 4, -1, result.labels)
        assert np.array_equal(labels_of(task, CLASSES, result.labels.shape), expected)
    view = ElementTree.parse(interface).getroot()
    assert [label.get('value') for label in view.iter('Label')] == list(CLASSES[:4])
    brush, image = view.find('BrushLabels'), view.find('Image')
    mask = tasks[0]['predictions'][0]['result'][0]
    assert mask['from_name'] == brush.get('name')
    assert mask['to_name'] == image.get('name') == brush.get('toName')
    assert image.get('value') == '$image'


def test_skip_nothing(results, tmp_path):
    path, _ = export(LabelStudioExporter(tmp_path, CLASSES, skip=(), image_url='s3://b/'), results)
    task = json.loads(path.read_bytes())[0]
    labels = results['shapes.jpg'].labels
    assert np.array_equal(labels_of(task, CLASSES, labels.shape), labels)
    assert task['data']['image'] == 's3://b/shapes.jpg'


def test_300_classes(many, tmp_path):
    path, _ = export(LabelStudioExporter(tmp_path, many.classes), {'a.jpg': many})
    (task,) = json.loads(path.read_bytes())
    assert np.array_equal(labels_of(task, many.classes, many.labels.shape), many.labels)
