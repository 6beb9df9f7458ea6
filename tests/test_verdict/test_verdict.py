"""Estimated mIoU, verdicts and their intervals, against slow references."""

import numpy as np
import pytest

from mmseg_langseg.verdict import Evidence, compare, estimated_miou, region_counts


def evidence(seed, sizes=(3, 0, 5, 2), classes=4):
    rng = np.random.default_rng(seed)
    return Evidence.of([rng.integers(0, 40, (size, classes)) for size in sizes])


def classes(seed, count=10):
    return np.random.default_rng(seed).integers(0, 3, count)  # of 4


def slow_miou(judged, evidence, photos):
    """Count the pixels of the regions of photos, which may be given several times."""
    ious = []
    for k in sorted(set(judged)):
        both = either = 0
        for photo in photos:
            for row in np.flatnonzero(evidence.photo == photo):
                for j, pixels in enumerate(evidence.counts[row]):
                    both += pixels * (judged[row] == k and j == k)
                    either += pixels * (judged[row] == k or j == k)
        ious.append(both / either if either else 0)
    return np.mean(ious) * 100


def test_region_counts():
    labels = np.array([[0, 0, 2], [1, 9, 2]])
    regions = np.array([[1, 1, 0], [3, 3, 3]])
    counts = region_counts(labels, regions, 4, 3)
    assert counts.tolist() == [[2, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_estimate_is_the_miou_if_the_masks_are_judged_right():
    own, truth = evidence(0), classes(1)
    assert estimated_miou(truth, own) == pytest.approx(slow_miou(truth, own, range(4)))
    with pytest.raises(ValueError, match='no masks on these photos'):
        estimated_miou(truth[:0], Evidence.of([own.counts[:0]]))


def test_verdict_equals_a_slow_bootstrap():
    before, after, own = evidence(3), evidence(4), classes(5)
    verdict = compare(own, before, after, samples=50, seed=7)
    draws = np.random.default_rng(7).multinomial(4, np.full(4, 1 / 4), 50)
    gains = []
    for draw in draws:
        photos = np.repeat(np.arange(4), draw)
        gains.append(slow_miou(own, after, photos) - slow_miou(own, before, photos))
    assert verdict.gain == pytest.approx(
        slow_miou(own, after, range(4)) - slow_miou(own, before, range(4))
    )
    low, high = np.quantile(gains, [0.025, 0.975])
    # The error of the estimate itself comes on top of that of the choice of photos.
    assert verdict.low < low and verdict.high > high
    first, second = verdict.parts['estimated mIoU']
    assert second - first == pytest.approx(verdict.gain)


def test_decisions():
    good, bad = (Evidence.of([np.array(rows)] * 8) for rows in ([[50, 0], [0, 50]], [[0, 50]] * 2))
    sure = np.tile([0, 1], 8)
    assert compare(sure, bad, good).decision == 'better'
    assert compare(sure, good, bad).decision == 'worse'
    assert compare(sure, good, good).decision == 'undecided'
    assert compare(sure, good, good).gain == 0
    assert compare(sure, bad, good, informed=False).decision == 'undecided'
    swapped, same = compare(sure, good, bad), compare(sure, bad, good)
    assert swapped.gain == -same.gain and swapped.low == pytest.approx(-same.high)
