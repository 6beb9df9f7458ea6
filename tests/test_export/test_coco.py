import contextlib
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from scipy import ndimage

from mmseg_langseg.export import COCOExporter
from tests.test_export.conftest import CLASSES, export


def read(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def labels_of(coco, image, count):
    """Return labels as read by pycocotools; -1: not annotated."""
    labels = np.full((image['height'], image['width']), -1)
    for annotation in coco.imgToAnns[image['id']]:
        mask = coco.annToMask(annotation).astype(bool)
        assert (labels[mask] == -1).all()
        labels[mask] = annotation['category_id'] - 1
        rows, cols = np.nonzero(mask)
        box = [cols.min(), rows.min(), np.ptp(cols) + 1, np.ptp(rows) + 1]
        assert annotation['bbox'] == box and annotation['area'] == mask.sum()
        assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
        assert coco.annToRLE(annotation) == annotation['segmentation']
    return labels


@pytest.mark.parametrize('skip', [('other',), (), ('Bäume', '草地')])
def test_pycocotools_reads_each_pixel(skip, results, tmp_path):
    (path,) = export(COCOExporter(tmp_path, CLASSES, skip=skip), results)
    coco = read(path)
    kept = [name for name in CLASSES if name not in skip]
    assert [c['name'] for c in coco.loadCats(coco.getCatIds())] == kept
    assert [image['file_name'] for image in coco.dataset['images']] == list(results)
    for image in coco.dataset['images']:
        labels = labels_of(coco, image, len(kept))
        found = np.array([*map(CLASSES.index, kept), -1])[labels]
        expected = results[image['file_name']].labels
        skipped = np.isin(expected, [CLASSES.index(name) for name in skip])
        assert np.array_equal(found, np.where(skipped, -1, expected))


def test_one_annotation_per_component(results, tmp_path):
    (path,) = export(COCOExporter(tmp_path, CLASSES), results)
    coco = read(path)
    count = 0
    for result in results.values():
        for label in range(4):
            count += ndimage.label(result.labels == label, np.ones((3, 3)))[1]
    assert len(coco.anns) == count == len(coco.dataset['annotations'])


def test_300_classes(many, tmp_path):
    (path,) = export(COCOExporter(tmp_path, many.classes), {'a.jpg': many})
    coco = read(path)
    assert np.array_equal(labels_of(coco, coco.imgs[1], 300), many.labels)


def test_no_image(tmp_path):
    (path,) = COCOExporter(tmp_path, CLASSES).finish([])
    content = json.loads(path.read_bytes())
    assert content['images'] == content['annotations'] == []
