import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import MaskFileError
from mmseg_langseg.masks import MaskFilter
from mmseg_langseg.masks.formats import read_mask_annotations, write_mask_file

SIZE = (10, 20)


def make(areas, **scores):
    """Make annotations with these mask areas and scores; the 'area' field is wrong on purpose."""
    annotations = []
    for i, area in enumerate(areas):
        mask = (np.arange(SIZE[0] * SIZE[1]) < area).astype(np.uint8).reshape(SIZE, order='F')
        ann = dict(id=i, segmentation=coco_mask.encode(np.asfortranarray(mask)), area=-(10**12))
        annotations.append(ann | {key: values[i] for key, values in scores.items()})
    return annotations


def ids(annotations):
    return [annotation['id'] for annotation in annotations]


def test_by_default_all_are_kept():
    annotations = make([0, 3, 200])
    assert MaskFilter()(annotations, 'a.json') == annotations
    assert MaskFilter()([], 'a.json') == []


def test_areas_are_those_of_the_masks_and_bounds_count():
    annotations = make([0, 1, 2, 100, 101, 200])
    assert ids(MaskFilter(min_area=0.01)(annotations, 'a.json')) == [2, 3, 4, 5]
    assert ids(MaskFilter(max_area=0.5)(annotations, 'a.json')) == [0, 1, 2, 3]
    assert ids(MaskFilter(min_area=0.01, max_area=0.5)(annotations, 'a.json')) == [2, 3]


def test_scores():
    annotations = make(
        [5] * 4, predicted_iou=[0.9, 0.8, 1, float('nan')], stability_score=[0.9, 1.0, 0.95, 1.0]
    )
    assert ids(MaskFilter(min_predicted_iou=0.9)(annotations, 'a.json')) == [0, 2]
    assert ids(MaskFilter(min_stability_score=0.95)(annotations, 'a.json')) == [1, 2, 3]
    both = MaskFilter(min_predicted_iou=0.9, min_stability_score=0.95)
    assert ids(both(annotations, 'a.json')) == [2]


@pytest.mark.parametrize('value', ['0.9', None, True])
def test_a_missing_score_is_named(value):
    with pytest.raises(
        MaskFileError, match=r"a/7\.json, annotation 0: 'predicted_iou' is .*number"
    ):
        MaskFilter(min_predicted_iou=0.5)(make([5], predicted_iou=[value]), 'a/7.json')
    MaskFilter(min_predicted_iou=0.5)([], '7.json')


def test_the_cap_is_a_fixed_fair_choice():
    annotations = make([5] * 12)
    chosen = MaskFilter(max_masks=4, seed=3)(annotations, 'a.json')
    assert len(chosen) == 4 and ids(chosen) == sorted(set(ids(chosen)))
    # It depends neither on global random state nor on earlier images.
    np.random.seed(1)
    again = MaskFilter(max_masks=4, seed=3)
    again(annotations, 'b.json')
    assert again(annotations, '/other/folder/a.json') == chosen
    assert ids(MaskFilter(max_masks=12)(annotations, 'a.json')) == list(range(12))
    others = [ids(MaskFilter(max_masks=4, seed=s)(annotations, 'a.json')) for s in range(300)]
    assert len({tuple(other) for other in others}) > 100
    counts = np.bincount(np.concatenate(others), minlength=12)
    assert counts.min() > 60 and counts.max() < 140
    names = {tuple(ids(again(annotations, f'{i}.json'))) for i in range(20)}
    assert len(names) > 10


def test_the_cap_counts_what_the_bounds_leave():
    annotations = make([1, 50, 60, 70])
    kept = MaskFilter(min_area=0.2, max_masks=3)(annotations, 'a.json')
    assert ids(kept) == [1, 2, 3]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(min_area=-0.1), 'min_area=-0.1: expected a finite number from 0 to 1'),
        (dict(min_area=0.5, max_area=0.4), 'got 0.5 and 0.4'),
        (dict(max_area=100), 'max_area=100: expected'),
        (dict(max_masks=0), 'max_masks=0: expected an integer of at least 1'),
        (dict(seed=-1), 'seed=-1: expected an integer of at least 0'),
        (dict(min_area='a'), "min_area='a': expected"),
        (dict(max_masks=2.5), 'max_masks=2.5: expected an integer'),
        (dict(min_predicted_iou=float('nan')), 'min_predicted_iou=nan: expected'),
        (dict(min_stability_score=True), 'min_stability_score=True: expected'),
    ],
)
def test_impossible_bounds_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskFilter(**arguments)


def test_annotations_of_a_file(tmp_path):
    path = tmp_path / 'sa_7.json'
    details = [dict(predicted_iou=0.5, area=10**30), dict(stability_score=1.0)]
    rles = [annotation['segmentation'] for annotation in make([3, 9])]
    write_mask_file(path, rles, SIZE, 'sub/sa_7.jpg', details=details)
    first, second = read_mask_annotations(path, SIZE, 'other/sa_7.png')
    assert first['predicted_iou'] == 0.5 and second['stability_score'] == 1.0
    assert coco_mask.area(first['segmentation']) == 3
    with pytest.raises(MaskFileError, match=r"sa_7\.json.*image 'sub/sa_7\.jpg', not of 'sa_8"):
        read_mask_annotations(path, SIZE, 'sa_8.jpg')
    content = json.loads(path.read_text())
    del content['image']['file_name']
    path.write_text(json.dumps(content))
    assert len(read_mask_annotations(path, SIZE, 'sa_8.jpg')) == 2
