"""Loading of region maps from files, images (superpixels) or masks, and of precomputed features."""

import io

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmseg.registry import TRANSFORMS
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.datasets import pixel_index_map
from mmseg_langseg.datasets.transforms import load_region_map
from mmseg_langseg.fileio import FeatureFileError, MaskFileError
from mmseg_langseg.masks import masks_to_regions

SIZE = (10, 14)


def sample(**extra):
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    return dict(img=image, img_shape=SIZE, ori_shape=SIZE, img_path='a.jpg') | extra


def load(results, **kwargs):
    return TRANSFORMS.build(dict(type='LoadRegionMap', **kwargs))(results)


def stored_map(dtype, top):
    regions = np.random.default_rng(1).integers(0, top, SIZE).astype(dtype)
    regions[0, :3] = np.iinfo(dtype).max
    return regions


@pytest.mark.parametrize('dtype, top', [(np.uint8, 255), (np.uint16, 65535)])
def test_maps_of_both_depths(tmp_path, dtype, top):
    stored = stored_map(dtype, top)
    if dtype == np.uint16:
        stored[1, 0] = 255  # an ordinary ID, not an ignore value
    path = tmp_path / 'a.png'
    Image.fromarray(stored).save(path)
    out = load(sample(mask_path=str(path)))
    regions = out['gt_region_map']
    assert regions.dtype == np.int32 and out['seg_fields'] == ['gt_region_map']
    assert np.array_equal(regions, np.where(stored == top, -1, stored.astype(np.int64)))
    assert (regions[0, :3] == -1).all() and (regions[1:] >= 0).all()


def test_palette_map_gives_its_indices(tmp_path):
    stored = stored_map(np.uint8, 5)
    image = Image.new('P', SIZE[::-1])
    image.putdata(stored.ravel())
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / 'a.png')
    regions = load(sample(mask_path=str(tmp_path / 'a.png')))['gt_region_map']
    assert np.array_equal(regions, np.where(stored == 255, -1, stored.astype(int)))


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, 'PNG')
    return buffer.getvalue()


RANDOM = np.random.default_rng(2).integers(0, 255, SIZE, dtype=np.uint8)


@pytest.mark.parametrize(
    'content, message',
    [
        (None, r'a\.png: region map cannot be read'),
        (b'', r'a\.png: region map cannot be read or decoded'),
        (b'{"image": 1}', r'a\.png: region map cannot be read or decoded'),
        (png(RANDOM)[:90], r'a\.png: region map cannot be read or decoded'),
        (png(RANDOM)[:20], r'a\.png: region map cannot be read or decoded'),
        (png(RANDOM)[:70] + b'xxxx' + png(RANDOM)[74:], r'a\.png: region map cannot be read'),
        (png(RANDOM.T), r'a\.png: region map has height x width 14 x 10, the image has 10 x 14'),
        (png(np.dstack([RANDOM] * 3)), r'a\.png: expected .* one channel.* mode .RGB'),
    ],
)
def test_a_bad_map_is_named(tmp_path, content, message):
    path = tmp_path / 'a.png'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MaskFileError, match=message):
        load(sample(mask_path=str(path)))


def test_without_a_file_regions_are_made_of_the_image(monkeypatch):
    calls = []

    def regions_of(image, max_regions):
        calls.append((image, max_regions))
        return np.zeros(image.shape[:2], dtype=np.int32)

    monkeypatch.setattr(load_region_map, 'felzenszwalb_regions', regions_of)
    results = sample(mask_path=None)
    out = load(dict(results), max_regions=7)
    ((image, max_regions),) = calls
    assert max_regions == 7 and np.array_equal(image, results['img'][..., [2, 1, 0]])
    assert out['gt_region_map'].shape == SIZE
    load(sample())
    assert calls[1][1] == 48


def test_regions_of_a_two_colored_image():
    image = np.full((40, 60, 3), 30, dtype=np.uint8)
    image[:, 25:] = (200, 180, 20)
    regions = load(sample(img=image))['gt_region_map']
    assert regions.dtype == np.int32 and regions.shape == (40, 60)
    assert not np.intersect1d(regions[:, :23], regions[:, 27:]).size


def test_labels_are_removed():
    labels = np.zeros(SIZE, dtype=np.uint8)
    out = load(sample(gt_seg_map=labels, gt_depth_map=labels, seg_fields=['gt_seg_map']))
    assert 'gt_seg_map' not in out and out['seg_fields'] == ['gt_region_map']
    assert 'gt_depth_map' in out  # not in seg_fields, so left alone


def masks(count=6):
    """Return RLEs of overlapping random boxes."""
    rng = np.random.default_rng(0)
    made = np.zeros((*SIZE, count), dtype=np.uint8, order='F')
    for i in range(count):
        y, x = rng.integers(0, 6, 2)
        made[y : y + rng.integers(2, 5), x : x + rng.integers(2, 5), i] = 1
    return coco_mask.encode(made)


def test_regions_from_loaded_masks():
    rles = masks()
    results = sample(mask_rles=rles, gt_seg_map=pixel_index_map(*SIZE), seg_fields=['gt_seg_map'])
    out = load(dict(results), source='masks')
    assert out['gt_region_map'].dtype == np.int32
    assert np.array_equal(out['gt_region_map'], masks_to_regions(rles, *SIZE))
    assert out['seg_fields'] == ['gt_region_map']
    assert 'gt_seg_map' not in out and 'mask_rles' not in out

    # The masks' pixel index map records the geometry of the stock transforms in between.
    steps = [
        dict(type='RandomFlip', prob=1.0),
        dict(type='Resize', scale=(28, 20)),
        dict(type='LoadRegionMap', source='masks'),
    ]
    out = Compose([TRANSFORMS.build(step) for step in steps])(dict(results))
    expected = masks_to_regions(rles, *SIZE)[:, ::-1].repeat(2, 0).repeat(2, 1)
    assert np.array_equal(out['gt_region_map'], expected)


def test_masks_outside_of_the_image_and_images_without_masks():
    index_map = pixel_index_map(*SIZE)
    index_map[3:] = -1
    for rles in (masks(), []):
        results = sample(mask_rles=rles, gt_seg_map=index_map, seg_fields=['gt_seg_map'])
        regions = load(results, source='masks')['gt_region_map']
        assert regions.dtype == np.int32
        assert (regions[3:] == -1).all() and (regions[:3] >= 0).all()
        assert bool(regions[:3].any()) == bool(rles)


def test_wrong_sources_are_named():
    with pytest.raises(ValueError, match="'superpixels' or 'masks', got 'labels'"):
        load(sample(), source='labels')
    with pytest.raises(ValueError, match="'LoadUnlabeledMasks' before 'LoadRegionMap'"):
        load(sample(), source='masks')


def load_features(path):
    return TRANSFORMS.build(dict(type='LoadCLIPFeatures'))(sample(feature_path=path))


def test_features(tmp_path):
    features = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float16)
    np.save(tmp_path / 'a.npy', features)
    found = load_features(str(tmp_path / 'a.npy'))['clip_features']
    assert found.dtype == np.float16 and np.array_equal(found, features)


@pytest.mark.parametrize(
    'damage, message',
    [
        (lambda path: path.unlink(), r'a\.npy: features cannot be read'),
        (lambda path: path.write_bytes(b''), r'a\.npy: features cannot be decoded'),
        (
            # A brace is missing in the header.
            lambda path: path.write_bytes(path.read_bytes().replace(b'}', b' ')),
            r'a\.npy: features cannot be decoded',
        ),
        (lambda path: path.write_bytes(b'no numpy'), r'a\.npy: features cannot be decoded'),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-5]),
            r'a\.npy: features cannot be decoded',
        ),
        (
            lambda path: np.save(path, np.zeros((2, 3), np.float16)),
            r'a\.npy: expected one float16 array \(D, h, w\), got ndarray of shape \(2, 3\)',
        ),
        (
            lambda path: np.save(path, np.zeros((2, 3, 4))),
            r'a\.npy: expected one float16 .* of shape \(2, 3, 4\), dtype float64',
        ),
        (
            lambda path: np.savez(path.open('wb'), a=np.zeros(2)),
            r'a\.npy: expected one float16 array .* got NpzFile',
        ),
        (
            lambda path: np.save(path, np.array([{}], dtype=object)),
            r'a\.npy: features cannot be decoded',
        ),
    ],
)
def test_bad_features_are_named(tmp_path, damage, message):
    path = tmp_path / 'a.npy'
    np.save(path, np.zeros((4, 2, 3), np.float16))
    damage(path)
    with pytest.raises(FeatureFileError, match=message):
        load_features(str(path))


def test_no_feature_folder():
    with pytest.raises(ValueError, match=r"a\.jpg has no feature file.*feature_path='folder'"):
        load_features(None)
