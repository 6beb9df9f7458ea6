import numpy as np

from mmseg_langseg.analysis.label_placement import place_labels


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_labels_overlap_nothing_and_stay_inside():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 300, (150, 2))
    sizes = np.stack([rng.uniform(20, 60, 150), np.full(150, 12.0)], 1)
    blocked = np.array([[100, 100, 160, 160], [200, 30, 220, 50]], float)
    corners = place_labels(points, sizes, blocked, (300, 300), 4)
    boxes = [
        (*corner, corner[0] + size[0], corner[1] + size[1])
        for corner, size in zip(corners, sizes, strict=True)
        if corner is not None
    ]
    # Crowded: some are left out, but not many more than must be.
    assert 50 < len(boxes) < 150
    for i, box in enumerate(boxes):
        assert min(box) >= 0 and max(box) <= 300
        assert not any(overlap(box, other) for other in [*boxes[:i], *blocked])


def test_the_first_labels_have_priority_and_points_stay_visible():
    points = np.array([[50.0, 50], [50, 50], [70, 50]])
    sizes = np.array([[30.0, 10]] * 3)
    first, second, third = place_labels(points, sizes, np.empty((0, 4)), (200, 100), 3)
    # To the right, the first would cover the third point.
    assert first == (50 - 3 - 30, 45)
    assert None not in (second, third) and len({first, second, third}) == 3
    assert place_labels(points, sizes, np.array([[0.0, 0, 200, 100]]), (200, 100), 3) == [None] * 3
