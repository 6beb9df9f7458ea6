import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import MAX_PIXELS
from mmseg_langseg.masks.formats import (
    compress_rle,
    decode_rle,
    encode_masks,
    lookup_rles,
    merge_rles,
    rle_area,
    rle_run_lengths,
)
from tests.fuzz.targets.mask_files import encode_runs
from tests.scripts import ROOT


def random_rles(rng, num_masks, height, width):
    """Return blobs, noise, an empty and a full mask, encoded by pycocotools."""
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
    with pytest.raises(ValueError, match='pixel index 72 is outside a 8 x 9 mask'):
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
        ([True, 11], 'list of integers'),
        (['12'], 'list of integers'),
        (dict(a=1), 'list of integers'),
        (None, 'list of integers'),
        ([], 'empty'),
        ([13], 'a run of 13 pixels, the mask has 12'),
        ([2**32 + 12], 'a run of 4294967308 pixels'),
        ([10**25, 12], 'a run of 10{25} pixels'),
        ([10**5000], 'a run of an integer of 16610 bits pixels'),
        ([2**63, -(2**63), 12], 'negative length -9223372036854775808'),
        ([0] * 20 + [12], '21 runs, more than pixels'),
        ('0' * 20, '20 runs, more than pixels'),
        # One digit more than pycocotools decodes correctly.
        ('P' * 6 + '0', 'too large'),
    ],
)
def test_broken_counts_are_named(counts, message):
    with pytest.raises(ValueError, match=message):
        rle_run_lengths(dict(size=[3, 4], counts=counts))


def test_runs_that_wrap_around_are_refused():
    """They sum to the area modulo 2**32 or 2**64, and pycocotools writes out of bounds."""
    for number in (50, 599):
        for step in (2**28, 2**29 - 1, 2**32 // number):
            counts = encode_runs([0, 1, 1] + [step] * (number - 3))
            with pytest.raises(ValueError, match=r'RLE (has a run of|counts contain a number)'):
                rle_run_lengths(dict(size=[20, 30], counts=counts))
    ends = [2**32 - 300, 600, 300]
    with pytest.raises(ValueError, match='a run of 4294966996 pixels, the mask has 600'):
        rle_run_lengths(dict(size=[20, 30], counts=ends))


@pytest.mark.parametrize(
    'size',
    [
        *([0, 5], [-1, -5], [5.0, 1], [True, 5], ['5', 1], [5], [1, 5, 1], 5, None),
        *([10**30, 1], [MAX_PIXELS, 2], [2**32 + 1, 1], [10**5000, 1]),
    ],
)
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match='expected'):
        rle_run_lengths(dict(size=size, counts=[5]))


def test_the_largest_size_is_allowed():
    rle = dict(size=[MAX_PIXELS, 1], counts=[1, MAX_PIXELS - 1])
    assert rle_area(rle) == MAX_PIXELS - 1
    assert rle_area(compress_rle(rle)) == MAX_PIXELS - 1


def test_checked_reading_equals_pycocotools():
    masks, rles = random_rles(np.random.default_rng(4), 6, 30, 40)
    for mask, rle in zip(masks, rles, strict=True):
        runs = dict(rle, counts=rle_run_lengths(rle).tolist())
        assert compress_rle(runs) == dict(size=[30, 40], counts=rle['counts'])
        assert np.array_equal(decode_rle(rle), mask) and np.array_equal(decode_rle(runs), mask)
        assert rle_area(rle) == rle_area(runs) == mask.sum()
    united = decode_rle(merge_rles([rles[2], rles[3]]))
    assert np.array_equal(united, masks[2] | masks[3])
    with pytest.raises(ValueError, match='differ in size'):
        merge_rles([rles[0], *encode_masks(np.zeros((1, 40, 30), bool))])
    for read in (decode_rle, rle_area, lambda rle: merge_rles([rle])):
        with pytest.raises(ValueError, match='RLE runs sum to 5'):
            read(dict(size=[30, 40], counts=[5]))


def test_pycocotools_is_behind_the_checks():
    """Its functions do not validate their input: only modules that check it may call them."""
    callers = {
        path.name
        for folder in ('mmseg_langseg', 'tools')
        for path in (ROOT / folder).rglob('*.py')
        if 'from pycocotools' in path.read_text()
    }
    checked = {'rle.py', 'polygons.py', 'sa1b.py'}
    checked |= {'coco.py'}  # of mmseg_langseg/export, which encodes bitmaps of its own
    assert callers == checked | {'benchmark_loading.py', 'benchmark_sam.py'}
