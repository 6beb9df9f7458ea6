import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from scipy import ndimage

from mmseg_langseg.fileio import MaskFileError
from mmseg_langseg.masks.formats import read_region_map, write_region_map
from mmseg_langseg.masks.generators import (
    felzenszwalb_regions,
    merge_regions,
    regions_to_rles,
    slic_regions,
)
from mmseg_langseg.masks.generators.working_size import shrink_image

CORNERS = {'felzenszwalb': np.ones((3, 3)), 'slic': None}
FUNCTIONS = {'felzenszwalb': felzenszwalb_regions, 'slic': slic_regions}
COLORS = np.array([[200, 30, 30], [30, 160, 60], [40, 60, 220], [230, 220, 80]], np.uint8)


def quadrants(height, width):
    """Return a noisy image of four colors, and the color index of each pixel."""
    rows, columns = np.arange(height) * 5 // (2 * height), np.arange(width) * 3 // (2 * width)
    which = (rows.clip(max=1)[:, None] * 2 + columns.clip(max=1)).astype(np.int64)
    noise = np.random.default_rng(0).integers(-12, 13, (height, width, 3))
    return (COLORS[which].astype(int) + noise).clip(0, 255).astype(np.uint8), which


def check_regions(regions, size, most):
    assert regions.shape == size and regions.dtype == np.int32
    ids = np.unique(regions)
    assert np.array_equal(ids, np.arange(len(ids))) and len(ids) <= most
    return len(ids)


@pytest.mark.parametrize('name', FUNCTIONS)
@pytest.mark.parametrize('size', [(64, 64), (300, 400)])
def test_colors_are_told_apart_at_all_sizes(name, size):
    image, which = quadrants(*size)
    regions = FUNCTIONS[name](image)
    number = check_regions(regions, size, 48)
    assert number >= 4
    counts = np.zeros((number, 4))
    np.add.at(counts, (regions, which), 1)
    # Only pixels along the boundaries differ from their region's main color.
    assert counts.max(1).sum() / which.size > 0.985
    for i in range(number):
        assert ndimage.label(regions == i, CORNERS[name])[1] == 1


def test_four_regions_of_four_colors_are_the_colors():
    image, which = quadrants(64, 64)
    regions = felzenszwalb_regions(image, max_regions=4)
    assert check_regions(regions, (64, 64), 4) == 4
    assert (regions == which).mean() > 0.98


@pytest.mark.parametrize('name', FUNCTIONS)
@pytest.mark.parametrize('size', [(1, 1), (1, 9), (9, 1), (2, 2), (20000, 50)])
def test_odd_sizes(name, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    check_regions(FUNCTIONS[name](image), size, 48)


@pytest.mark.parametrize('name', FUNCTIONS)
def test_equal_images_give_equal_regions_and_the_limit_is_kept(name):
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    first = FUNCTIONS[name](image, max_regions=7)
    assert check_regions(first, (40, 50), 7) == 7
    assert np.array_equal(first, FUNCTIONS[name](image.copy(), max_regions=7))
    assert FUNCTIONS[name](image, max_regions=1).max() == 0


def test_wrong_arguments_are_named():
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match='max_regions=0'):
        felzenszwalb_regions(image, max_regions=0)
    for wrong in (image[..., 0], image.astype(float), image[:0]):
        with pytest.raises(ValueError, match=r'expected an image \(H, W, 3\) uint8'):
            felzenszwalb_regions(wrong)


def test_large_images_are_averaged_with_their_aspect():
    assert shrink_image(np.zeros((400, 100, 3), np.uint8), 10000).shape == (200, 50, 3)
    assert shrink_image(np.zeros((100, 100, 3), np.uint8), 10000).shape == (100, 100, 3)


def merge_slowly(image, regions, most):
    """Merge regions by the definition, recomputed from the pixels at every step."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float64)
    regions = regions.copy()
    height, width = regions.shape
    while len(np.unique(regions)) > most:
        steps = {}
        for y in range(height):
            for x in range(width):
                for other in ((y, x + 1), (y + 1, x)):
                    if other[0] == height or other[1] == width:
                        continue
                    pair = tuple(sorted((regions[y, x], regions[other])))
                    if pair[0] != pair[1]:
                        step = np.linalg.norm(lab[y, x] - lab[other])
                        steps.setdefault(pair, []).append(step)
        costs = {}
        for (a, b), values in steps.items():
            inside = [regions == a, regions == b]
            colors = [lab[mask].mean(0) for mask in inside]
            distance = np.linalg.norm(colors[0] - colors[1])
            smaller = min(mask.sum() for mask in inside)
            costs[a, b] = (distance + np.mean(values)) * smaller**0.5
        a, b = min(costs, key=costs.get)
        regions[regions == b] = a
    return np.unique(regions, return_inverse=True)[1].reshape(regions.shape)


@pytest.mark.parametrize('most', [1, 3, 8])
def test_merging_is_the_cheapest_pair_first(most):
    rng = np.random.default_rng(most)
    image = cv2.blur(rng.integers(0, 256, (12, 15, 3)).astype(np.uint8), (3, 3))
    cells = (np.arange(12)[:, None] // 3) * 5 + np.arange(15) // 3
    merged = merge_regions(image, cells, most)
    assert np.array_equal(merged, merge_slowly(image, cells, most))


def test_few_regions_are_not_merged():
    regions = np.arange(6).reshape(2, 3)
    assert np.array_equal(merge_regions(np.zeros((2, 3, 3), np.uint8), regions, 6), regions)


def test_regions_as_masks():
    regions = np.array([[0, 0, 5], [-1, 5, 5]])
    rles = regions_to_rles(regions)
    assert np.array_equal(coco_mask.decode(rles[0]), [[1, 1, 0], [0, 0, 0]])
    assert np.array_equal(coco_mask.decode(rles[1]), [[0, 0, 1], [0, 1, 1]])
    assert len(rles) == 2 and isinstance(rles[0]['counts'], str)


def test_region_map_round_trip(tmp_path):
    regions = np.random.default_rng(0).integers(-1, 65535, (30, 20)).astype(np.int32)
    path = tmp_path / 'new' / 'a.png'
    write_region_map(path, regions)
    found = read_region_map(path, (30, 20))
    assert found.dtype == np.int32 and np.array_equal(found, regions)
    assert [file.name for file in path.parent.iterdir()] == ['a.png']
    assert Image.open(path).mode.startswith('I')


@pytest.mark.parametrize('mode', ['L', 'P'])
def test_region_maps_of_eight_bits(tmp_path, mode):
    ids = np.array([[0, 254], [255, 3]], np.uint8)
    image = Image.fromarray(ids)
    if mode == 'P':
        image.putpalette(list(range(256)) * 3)
    image.save(tmp_path / 'a.png')
    assert read_region_map(tmp_path / 'a.png').tolist() == [[0, 254], [-1, 3]]


def test_bad_region_files_are_named(tmp_path):
    path = tmp_path / 'a.png'
    with pytest.raises(MaskFileError, match=r'a\.png: region map cannot be read'):
        read_region_map(path)
    rng = np.random.default_rng(0)
    write_region_map(path, rng.integers(0, 60000, (40, 40)))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (b'', b'no image', whole[:-9], whole[:200], bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(MaskFileError, match=r'a\.png: region map cannot be read or decoded'):
            read_region_map(path)
    path.write_bytes(whole)
    with pytest.raises(MaskFileError, match='40 x 40, the image has 40 x 41'):
        read_region_map(path, (40, 41))
    Image.new('RGB', (4, 4)).save(path)
    with pytest.raises(MaskFileError, match='one channel'):
        read_region_map(path)


@pytest.mark.parametrize(
    'regions', [np.full((2, 2), 65535), np.full((2, 2), -2), np.zeros((2, 2)), np.zeros(4, int)]
)
def test_regions_that_fit_no_file_are_refused(tmp_path, regions):
    with pytest.raises(ValueError, match=r'a\.png: '):
        write_region_map(tmp_path / 'a.png', regions)
    assert not list(tmp_path.iterdir())
