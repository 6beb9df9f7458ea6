import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_langseg.masks.formats import decode_rle, polygons_to_rle

SQUARE = [2, 3, 6, 3, 6, 9, 2, 9]


def test_polygons_are_united():
    mask = decode_rle(polygons_to_rle([SQUARE, [10, 3, 14, 3, 14, 9, 10, 9]], 12, 20))
    expected = np.zeros((12, 20), bool)
    expected[3:9, 2:6] = expected[3:9, 10:14] = True
    assert np.array_equal(mask, expected)


def test_points_a_little_outside_are_cut_as_by_pycocotools():
    polygon = [-3.5, -2, 25, 4.5, 30, 20, 5, 13]
    expected = coco_mask.decode(coco_mask.frPyObjects([polygon], 12, 20))[..., 0]
    assert np.array_equal(decode_rle(polygons_to_rle([polygon], 12, 20)), expected)


@pytest.mark.parametrize(
    'polygons, message',
    [
        (None, 'expected a list of polygons, got None'),
        ([], 'expected a list of polygons'),
        ('abcdef', 'expected a list of polygons'),
        ([3], 'three points .* got 3'),
        ([[1, 1, 5, 5]], 'three points'),
        ([[1, 1, 5, 5, 9, 9, 1]], 'three points'),
        (['abcdef'], 'three points'),
        ([[1, 1, 5, 5, 9, '9']], 'numbers only'),
        ([[1, 1, 5, 5, 9, True]], 'numbers only'),
        ([[1, 1, 5, 5, 9, [9]]], 'numbers only'),
        ([[0, 0, 1e9, 0, 1e9, 1e9]], '1000000000.0, far outside'),
        ([[0, 0, -21, 0, 5, 5]], '-21, far outside'),
        ([[0, 0, 10, 25, 5, 5]], '25, far outside'),
        ([[0, 0, 10**400, 0, 5, 5]], 'far outside'),
        ([[0, 0, float('nan'), 5, 9, 9]], 'nan, far outside'),
        ([[0, 0, float('inf'), 5, 9, 9]], 'inf, far outside'),
        ([SQUARE, [0, 0, 1e9, 0, 1e9, 1e9]], 'far outside'),
    ],
)
def test_what_pycocotools_would_crash_on_is_refused(polygons, message):
    with pytest.raises(ValueError, match=message):
        polygons_to_rle(polygons, 12, 20)


def test_outlines_that_would_fill_the_memory_are_refused():
    zigzag = [0, 0, 10_000, 10_000] * 300
    with pytest.raises(ValueError, match='pixels long, expected at most 4194304'):
        polygons_to_rle([zigzag], 10_000, 10_000)
    points = [5.0] * (2 * 2**22 + 4)
    with pytest.raises(ValueError, match='pixels long'):
        polygons_to_rle([points], 12, 20)


@pytest.mark.parametrize('size', [(0, 20), (12, 2**31), (12.0, 20)])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match='height x width'):
        polygons_to_rle([SQUARE], *size)
