import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_langseg.masks import masks_to_regions

SIZE = (10, 14)


def masks(seed, count=6):
    """Return overlapping random boxes; the last two are equal, so one of them is fully covered."""
    rng = np.random.default_rng(seed)
    made = np.zeros((count, *SIZE), dtype=bool)
    for mask in made[:-2]:
        y, x = rng.integers(0, 6, 2)
        mask[y : y + rng.integers(2, 5), x : x + rng.integers(2, 5)] = True
    made[-2:, 2:4, 2:5] = True
    return made, encode(made)


def encode(made):
    return coco_mask.encode(np.asfortranarray(made.transpose(1, 2, 0), dtype=np.uint8))


def reference_regions(made):
    """Return the smallest mask at each pixel; among equal masks, the last."""
    regions = np.zeros(SIZE, dtype=int)
    for y in range(SIZE[0]):
        for x in range(SIZE[1]):
            found = [(made[i].sum(), -i) for i in range(len(made)) if made[i, y, x]]
            if found:
                regions[y, x] = 1 - min(found)[1]
    return regions


@pytest.mark.parametrize('seed', range(3))
def test_partition_of_masks(seed):
    made, rles = masks(seed)
    regions = masks_to_regions(rles, *SIZE)
    assert regions.dtype == np.int32 and regions.flags.c_contiguous
    assert np.array_equal(regions, reference_regions(made))
    assert 5 not in regions and 6 in regions  # equal masks: the later one is on top


def test_partition_degenerate_cases():
    assert np.array_equal(masks_to_regions([], 3, 4), np.zeros((3, 4)))
    empty_and_full = np.stack([np.zeros(SIZE, bool), np.ones(SIZE, bool)])
    assert (masks_to_regions(encode(empty_and_full), *SIZE) == 2).all()
    with pytest.raises(ValueError, match=r'mask 0 has height x width \[10, 14\].*\[14, 10\]'):
        masks_to_regions(encode(empty_and_full), 14, 10)
