"""Boundary IoU against its definition, by distances to every pixel of a contour."""

import math

import numpy as np
import pytest
import torch
from mmseg.registry import METRICS

from mmseg_langseg.evaluation import boundary_areas, boundary_pixels

CLASSES = ('a', 'b', 'c', 'd')
IGNORED = 255


def label_maps(seed, size=(23, 31)):
    """Return labels with an ignored area, and a prediction that differs from them in places."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(size, np.int64)
    for label in (1, 2, 1, IGNORED):
        top, left = rng.integers(0, 15, 2)
        labels[top : top + 9, left : left + 11] = label
    predicted = np.where(labels == IGNORED, 0, np.roll(labels, (1, 2), (0, 1)) % IGNORED)
    predicted[rng.random(size) > 0.97] = 3
    return labels, predicted


def slow_boundary(mask, distance):
    """Pixels of a mask within a distance of a pixel outside of it, or of the image."""
    height, width = mask.shape
    found = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        for y in range(row - distance, row + distance + 1):
            for x in range(column - distance, column + distance + 1):
                outside = not (0 <= y < height and 0 <= x < width)
                found[row, column] |= outside or not mask[y, x]
    return found


def slow_areas(labels, predicted, ratio):
    distance = max(1, round(ratio * math.sqrt(labels.shape[0] ** 2 + labels.shape[1] ** 2)))
    known = labels != IGNORED
    areas = []
    for index in range(len(CLASSES)):
        true, found = (
            slow_boundary((values == index) & known, distance) for values in (labels, predicted)
        )
        areas.append(((true & found).sum(), (true | found).sum()))
    return np.array(areas).T


def sample(labels, predicted):
    return dict(
        gt_sem_seg=dict(data=torch.tensor(labels)[None]),
        pred_sem_seg=dict(data=torch.tensor(predicted)[None]),
    )


def build(**options):
    metric = METRICS.build(dict(type='BoundaryIoUMetric', **options))
    metric.dataset_meta = dict(classes=CLASSES)
    return metric


@pytest.mark.parametrize('ratio', [0.02, 0.05])
def test_equals_the_definition(ratio):
    images = [label_maps(seed) for seed in range(3)]
    images.append(label_maps(4, size=(12, 40)))
    expected = [slow_areas(*image, ratio) for image in images]
    for image, (intersection, union) in zip(images, expected, strict=True):
        found = boundary_areas(*image, len(CLASSES), ratio)
        assert found[0].tolist() == intersection.tolist() and found[1].tolist() == union.tolist()
    metric = build(dilation_ratio=ratio)
    metric.process({}, [sample(*image) for image in images[:3]])
    metric.process({}, [sample(*images[3])])
    intersection, union = np.sum(expected, axis=0)
    mean = 100 * np.mean(intersection / union)
    assert metric.evaluate(4)['boundary_mIoU'] == pytest.approx(mean, abs=0.005)
    assert 0 < mean < 100


def test_only_boundaries_count():
    labels = np.zeros((100, 100), np.int64)
    labels[20:80, 20:80] = 1
    inner, thinner = labels.copy(), labels.copy()
    inner[45:55, 45:55] = 2  # in the middle of the object
    thinner[20:80, 20:22] = 0
    assert int(boundary_pixels(labels, 3).sum()) == 66**2 - 54**2 + 100**2 - 94**2
    (_, inside, _, _), (_, union, _, _) = boundary_areas(labels, inner, 4)
    assert 0 < inside == 60**2 - 54**2 < union  # but the hole is a contour of the prediction
    intersection, union = boundary_areas(labels, thinner, 4)
    plain = (thinner[labels == 1] == 1).mean()
    assert float(intersection[1] / union[1]) < plain - 0.2


def test_ignored_pixels_and_absent_classes():
    labels, _ = label_maps(0)
    predicted = np.where(labels == IGNORED, 2, labels)
    metric = build()
    metric.process({}, [sample(labels, predicted)])
    assert metric.evaluate(1) == dict(boundary_mIoU=100.0)
    (intersection, union) = boundary_areas(labels, predicted, len(CLASSES))
    assert intersection[3] == union[3] == 0


@pytest.mark.parametrize('ratio', [0, -0.1, 2])
def test_wrong_ratios(ratio):
    with pytest.raises(ValueError, match=f'dilation_ratio={ratio}'):
        build(dilation_ratio=ratio)
