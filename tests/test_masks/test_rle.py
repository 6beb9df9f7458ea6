import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_langseg.masks import lookup_rles, rle_run_lengths


def random_rles(rng, num_masks, height, width):
    """Blobs, noise, an empty and a full mask, encoded by pycocotools."""
    masks = rng.random((num_masks, height, width)) < rng.random((num_masks, 1, 1))
    masks[0] = False
    masks[1] = True
    masks[2] = False
    masks[2, height // 4 : height // 2, width // 3 : width // 2] = True
    masks[3, 0, 0] = True
    rles = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
    for rle in rles:
        rle['counts'] = rle['counts'].decode('ascii')
    return masks, rles


@pytest.mark.parametrize('height, width', [(1, 1), (37, 53), (300, 500)])
def test_run_lengths_equal_those_of_a_scan(height, width):
    masks, rles = random_rles(np.random.default_rng(0), 6, height, width)
    for mask, rle in zip(masks, rles, strict=True):
        runs = rle_run_lengths(rle)
        values = np.repeat(np.arange(len(runs)) % 2, runs)
        assert np.array_equal(values.reshape(width, height).T, mask)
        assert np.array_equal(rle_run_lengths(dict(rle, counts=rle['counts'].encode())), runs)
        assert np.array_equal(rle_run_lengths(dict(rle, counts=runs.tolist())), runs)


@pytest.mark.parametrize('height, width', [(1, 1), (37, 53), (120, 200)])
def test_lookup_equals_pycocotools_and_indexing(height, width):
    rng = np.random.default_rng(1)
    _, rles = random_rles(rng, 300, height, width)
    index = rng.integers(-1, height * width, size=(40, 31))
    decoded = np.stack([coco_mask.decode(rle) for rle in rles]).reshape(300, -1).astype(bool)
    expected = decoded[:, index.clip(min=0)] & (index >= 0)
    found = lookup_rles(rles, index)
    assert found.shape == (300, 40, 31) and found.dtype == bool
    assert np.array_equal(found, expected)
    assert np.array_equal(lookup_rles(rles, index.astype(np.int32)), expected)


def test_lookup_without_masks_or_pixels():
    _, rles = random_rles(np.random.default_rng(2), 4, 8, 9)
    assert lookup_rles([], np.zeros((3, 5), np.int32)).shape == (0, 3, 5)
    assert lookup_rles(rles, np.zeros((0,), np.int32)).shape == (4, 0)
    assert not lookup_rles(rles, np.full((3, 5), -1)).any()


def test_lookup_refuses_what_does_not_fit():
    _, rles = random_rles(np.random.default_rng(3), 4, 8, 9)
    with pytest.raises(ValueError, match='pixel index 72 lies outside a 8 x 9 mask'):
        lookup_rles(rles, np.array([72]))
    _, other = random_rles(np.random.default_rng(3), 4, 9, 8)
    with pytest.raises(ValueError, match='differ in size'):
        lookup_rles([rles[0], other[0]], np.array([0]))


@pytest.mark.parametrize(
    'counts, message',
    [
        ('', 'empty'),
        ('a', 'end within a number'),
        ('52é', 'outside the format'),
        ('52 3', 'outside the format'),
        ('~' * 3, 'outside the format'),
        ('o' * 12 + '0', 'too large'),
        ('52', r'sum to 7 pixels, expected 3 x 4 = 12'),
        ('O', 'negative length -1'),
        ([4, 5], 'sum to 9 pixels'),
        ([4, -1, 9], 'negative length -1'),
        ([4.0, 8.0], 'list of integers'),
    ],
)
def test_broken_counts_are_named(counts, message):
    with pytest.raises(ValueError, match=message):
        rle_run_lengths(dict(size=[3, 4], counts=counts))
