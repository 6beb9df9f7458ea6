import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_langseg.importing import COCOImporter
from tests.test_importing.conftest import coco_file

SIZE = (4, 6)


def rle(mask, compressed=True):
    encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    if compressed:
        return dict(size=list(SIZE), counts=encoded['counts'].decode())
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [2]])
    bounds = np.flatnonzero(np.diff(flat))
    runs = np.diff(np.concatenate([[0], bounds])).tolist()
    return dict(size=list(SIZE), counts=runs)


def test_all_encodings_of_pycocotools(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.random((2, *SIZE)) < 0.4
        path = coco_file(tmp_path, [(3, rle(first)), (7, rle(second, compressed=False))])
        importer = COCOImporter(path)
        assert importer.classes == ('cat', '草地') and importer.names == ['a.jpg']
        expected = np.where(second, 0, np.where(first, 1, -1))
        assert np.array_equal(importer.labels('a.jpg', SIZE), expected)


def test_polygons_and_the_later_annotation_wins(tmp_path):
    whole = [[0, 0, 6, 0, 6, 4, 0, 4]]
    left = [[0, 0, 2, 0, 2, 4, 0, 4], [4, 0, 5, 0, 5, 1, 4, 1]]
    labels = COCOImporter(coco_file(tmp_path, [(7, whole), (3, left)])).labels('a.jpg', SIZE)
    expected = np.zeros(SIZE)
    expected[:, :2] = expected[0, 4] = 1
    assert np.array_equal(labels, expected)
    labels = COCOImporter(coco_file(tmp_path, [(3, left), (7, whole)])).labels('a.jpg', SIZE)
    assert (labels == 0).all()


@pytest.mark.parametrize(
    ('category', 'segmentation', 'message'),
    [
        (8, [[0, 0, 2, 0, 2, 2]], r"id 0: 'category_id' is 8, but no category has this id"),
        ('7', [[0, 0, 2, 0, 2, 2]], r"id 0: 'category_id' is '7', expected an integer"),
        (7, [], 'id 0: expected a list of polygons'),
        (7, [[0, 0, 1e9, 0, 2, 2]], 'id 0: a polygon has the coordinate 1000000000'),
        (7, dict(size=[6, 4], counts=[24]), r'id 0: mask has height x width \[6, 4\]'),
        (7, dict(size=[4, 6], counts=[25]), 'id 0: RLE has a run of 25 pixels'),
    ],
)
def test_broken_annotations_are_named(category, segmentation, message, tmp_path):
    importer = COCOImporter(coco_file(tmp_path, [(category, segmentation)]))
    with pytest.raises(ValueError, match=message):
        importer.labels('a.jpg', SIZE)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(categories=None), "'categories' is None"),
        (dict(categories=[dict(id=1)]), r"categories\[0\]: lacks 'name'"),
        (dict(categories=[dict(id=1, name='a')] * 2), r'categories\[1\]: another .* id 1'),
        (dict(images=[dict(id=9, file_name='../a.jpg', height=4, width=6)]), r'images\[0\].*\.\.'),
        (dict(annotations=[dict(image_id=5, segmentation=[])]), r'annotations\[0\].*no image'),
        (dict(annotations=[dict(segments_info=[])]), 'panoptic'),
    ],
)
def test_broken_files_are_named(change, message, tmp_path):
    path = coco_file(tmp_path, [(7, [[0, 0, 2, 0, 2, 2]])])
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=r'instances_default\.json.*' + message):
        COCOImporter(path)


def test_other_size_than_the_image(tmp_path):
    importer = COCOImporter(coco_file(tmp_path, [(7, [[0, 0, 2, 0, 2, 2]])]))
    with pytest.raises(ValueError, match=r'at height x width 4 x 6, but the image has 8 x 12'):
        importer.labels('a.jpg', (8, 12))
    with pytest.raises(ValueError, match='EXIF orientation'):
        importer.labels('a.jpg', (6, 4))
