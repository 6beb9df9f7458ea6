"""Random augmented views: image, label maps and view matrix must be consistent."""

import mmcv
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform, Compose
from mmseg.registry import TRANSFORMS

from mmseg_langseg.datasets.transforms.random_view import RandomView, ViewGeometry, view_matrix

PAD_COLOR = (104, 117, 123)
NO_GEOMETRY = dict(crop_size=(20, 30), ratio_range=(1, 1), flip_prob=0)


def coordinate_sample(height, width):
    """Return an image whose channels are each pixel's column and row, and a pixel index map."""
    rows, cols = np.mgrid[:height, :width].astype(np.float32)
    return dict(
        img=np.stack([cols, rows, cols], -1),
        img_shape=(height, width),
        gt_region_map=np.arange(height * width, dtype=np.int32).reshape(height, width),
        seg_fields=['gt_region_map'],
    )


def image_coordinates(matrix, crop_size):
    """Map each pixel of a view to (x, y) in [0, 1] of the image by the matrix; float64."""
    (height, width), matrix = crop_size, matrix.astype(np.float64)
    y, x = np.mgrid[:height, :width] + 0.5
    place = np.stack([2 * x / width - 1, 2 * y / height - 1, np.ones_like(x)], -1)
    return (place @ matrix.T + 1) / 2


@pytest.mark.parametrize('size', [(40, 60), (61, 23), (20, 90), (9, 7)])
def test_image_map_and_matrix_agree(size):
    (height, width), crop = size, (32, 40)
    step = TRANSFORMS.build(dict(type='RandomView', crop_size=crop))
    seen, compared = set(), []
    for seed in range(12):
        np.random.seed(seed)
        results = step(coordinate_sample(*size))
        x, y = image_coordinates(results['view_matrix'], crop).transpose(2, 0, 1)
        inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)

        # Bilinear interpolation of a ramp is exact; beyond the outer pixel centers it is constant.
        column, row = (
            np.clip(x * width - 0.5, 0, width - 1),
            np.clip(y * height - 0.5, 0, height - 1),
        )
        image, regions = results['img'], results['gt_region_map']
        assert image.shape == (*crop, 3) and regions.shape == crop and regions.dtype == np.int32
        assert np.abs(image[..., 0] - column)[inside].max() < 0.01
        assert np.abs(image[..., 1] - row)[inside].max() < 0.01
        assert (image[~inside] == PAD_COLOR).all()

        on_edge = (np.abs(x * width - np.round(x * width)) < 1e-3) | (
            np.abs(y * height - np.round(y * height)) < 1e-3
        )
        expected = np.floor(y * height) * width + np.floor(x * width)
        assert np.array_equal(regions[inside & ~on_edge], expected[inside & ~on_edge])
        compared.append((inside & ~on_edge).sum())
        assert (regions[~inside] == -1).all() and (regions[inside] >= 0).all()

        matrix = results['view_matrix']
        assert matrix.dtype == np.float32 and results['img_shape'] == crop
        enlarged = crop[1] / abs(matrix[0, 0]) > width
        seen.add((bool(matrix[0, 0] < 0), bool(enlarged)))
    assert len(seen) == 4  # flipped or not, enlarged or not
    assert np.median(compared) > 50


def test_the_crop_may_lie_anywhere_in_the_image():
    step = RandomView((4, 4), (1, 1), 0)
    np.random.seed(0)
    firsts = [step(coordinate_sample(6, 5))['gt_region_map'][0, 0] for _ in range(200)]
    assert set(firsts) == {0, 1, 5, 6, 10, 11}


@pytest.mark.parametrize(
    'geometry, crop, expected',
    [
        (ViewGeometry((20, 30), False, (0, 0)), (20, 30), [[1, 0, 0], [0, 1, 0]]),
        (ViewGeometry((20, 30), True, (0, 0)), (20, 30), [[-1, 0, 0], [0, 1, 0]]),
        # The upper right quarter; after a flip it is the image's upper left.
        (ViewGeometry((20, 40), False, (0, 20)), (10, 20), [[0.5, 0, 0.5], [0, 0.5, -0.5]]),
        (ViewGeometry((20, 40), True, (0, 20)), (10, 20), [[-0.5, 0, -0.5], [0, 0.5, -0.5]]),
        # Padding to twice the size.
        (ViewGeometry((10, 20), True, (0, 0)), (20, 40), [[-2, 0, -1], [0, 2, 1]]),
    ],
)
def test_matrix_by_hand(geometry, crop, expected):
    assert np.allclose(view_matrix(geometry, crop), expected)


def test_geometry_follows_the_seed_and_numpy_labels_keep_their_ignore_value():
    results = coordinate_sample(12, 14)
    results['gt_seg_map'] = np.zeros((12, 14), dtype=np.uint8)
    results['seg_fields'].append('gt_seg_map')
    views = []
    for _ in range(2):
        np.random.seed(3)
        views.append(RandomView((24, 24))(dict(results)))
    assert np.array_equal(views[0]['view_matrix'], views[1]['view_matrix'])
    padding = views[0]['gt_region_map'] == -1
    assert padding.any()
    assert np.array_equal(views[0]['gt_seg_map'], np.where(padding, 255, 0))


def test_a_view_without_geometry_is_the_image():
    results = coordinate_sample(20, 30)
    view = RandomView(**NO_GEOMETRY)(dict(results))
    assert np.array_equal(view['img'], results['img'])
    assert np.array_equal(view['gt_region_map'], results['gt_region_map'])
    assert view['img'].flags.c_contiguous


@pytest.mark.parametrize('ratio_range', [(1.5, 0.5), (0, 1)])
def test_wrong_ratio_range_is_named(ratio_range):
    with pytest.raises(ValueError, match='ratio_range should be an increasing range'):
        RandomView(ratio_range=ratio_range)


def photo_sample(height=20, width=30):
    results = coordinate_sample(height, width)
    rng = np.random.default_rng(0)
    results['img'] = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return results


@TRANSFORMS.register_module()
class WriteInPlace(BaseTransform):
    """Transform that modifies its input in place."""

    def transform(self, results):
        results['img'] += 1
        results['gt_region_map'] += 1
        results['seg_fields'].append('none')
        return results


def test_views_are_made_of_copies():
    results = photo_sample()
    image, regions = results['img'].copy(), results['gt_region_map'].copy()
    step = TRANSFORMS.build(
        dict(type='AugmentedViews', num_views=3, transforms=[dict(type='WriteInPlace')])
    )
    out = step(results)
    assert len(out['views']) == 3
    for view in out['views']:
        assert np.array_equal(view['img'], image + 1)
        assert np.array_equal(view['gt_region_map'], regions + 1)
    assert np.array_equal(out['img'], image) and np.array_equal(out['gt_region_map'], regions)
    assert out['seg_fields'] == ['gt_region_map']


def test_each_view_has_its_own_geometry_and_colors():
    transforms = [
        dict(type='RandomView', crop_size=(16, 16)),
        dict(type='PhotoMetricDistortion'),
        dict(type='RandomGrayscale', prob=0.5, keep_channels=True),
    ]
    step = TRANSFORMS.build(dict(type='AugmentedViews', transforms=transforms))
    np.random.seed(0)
    gray = []
    for _ in range(10):
        first, second = step(photo_sample())['views']
        assert not np.array_equal(first['view_matrix'], second['view_matrix'])
        for view in (first, second):
            assert view['img'].shape == (16, 16, 3) and view['img'].dtype == np.uint8
            gray.append(bool((np.ptp(view['img'], axis=2) == 0).all()))
    assert any(gray) and not all(gray)


def test_colors_change_without_geometry():
    # Brightness, contrast, saturation and hue each change with a probability of one half.
    transforms = [dict(type='RandomView', **NO_GEOMETRY), dict(type='PhotoMetricDistortion')]
    step = TRANSFORMS.build(dict(type='AugmentedViews', transforms=transforms, num_views=8))
    np.random.seed(1)
    out = step(photo_sample())
    assert sum(not np.array_equal(view['img'], out['img']) for view in out['views']) > 4


def test_a_step_that_gives_up_and_a_wrong_number_of_views():
    step = TRANSFORMS.build(dict(type='AugmentedViews', transforms=[lambda results: None]))
    assert step(photo_sample()) is None
    with pytest.raises(ValueError, match='num_views=0: expected an integer of at least 1'):
        TRANSFORMS.build(dict(type='AugmentedViews', transforms=[], num_views=0))


def pack(**extra):
    views = dict(type='AugmentedViews', transforms=[dict(type='RandomView', crop_size=(16, 24))])
    pipeline = Compose([TRANSFORMS.build(views), TRANSFORMS.build(dict(type='PackViews'))])
    results = photo_sample() | dict(img_path='a.jpg', mask_path=None) | extra
    return results, pipeline(dict(results))


def test_packed_sample():
    results, packed = pack()
    inputs, sample = packed['inputs'], packed['data_samples']
    assert sorted(inputs) == ['image', 'views']
    assert np.array_equal(inputs['image'].permute(1, 2, 0), results['img'])
    assert inputs['views'].shape == (2, 3, 16, 24) and inputs['views'].dtype == torch.uint8
    assert sample.regions.shape == (2, 16, 24) and sample.regions.dtype == torch.int32
    assert sample.matrices.shape == (2, 2, 3) and sample.matrices.dtype == torch.float32
    assert sample.img_path == 'a.jpg' and sample.img_shape == (20, 30)
    # The packed views match the matrices: both show the same padding.
    for image, regions, matrix in zip(
        inputs['views'], sample.regions, sample.matrices, strict=True
    ):
        x, y = image_coordinates(matrix.numpy(), (16, 24)).transpose(2, 0, 1)
        outside = (x < 0) | (x > 1) | (y < 0) | (y > 1)
        assert np.array_equal(regions.numpy() < 0, outside)
        assert (image.numpy()[:, outside] == np.array(PAD_COLOR)[:, None]).all()


def test_packed_features_replace_the_image():
    features = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    _, packed = pack(clip_features=features)
    assert sorted(packed['inputs']) == ['clip_features', 'views']
    found = packed['inputs']['clip_features']
    assert found.dtype == torch.float16 and np.array_equal(found, features)


def test_regions_can_be_left_out():
    view = RandomView(**NO_GEOMETRY)(photo_sample())
    del view['gt_region_map']
    step = TRANSFORMS.build(dict(type='PackViews', with_regions=False))
    sample = step(photo_sample() | dict(views=[view]))['data_samples']
    assert 'regions' not in sample and sample.matrices.shape == (1, 2, 3)


@pytest.mark.parametrize('key', ['gt_region_map', 'view_matrix'])
def test_missing_parts_of_a_view_are_named(key):
    view = RandomView(**NO_GEOMETRY)(photo_sample())
    del view[key]
    with pytest.raises(ValueError, match=f"lacks '{key}'.*'LoadRegionMap'.*'RandomView'"):
        TRANSFORMS.build(dict(type='PackViews'))(photo_sample() | dict(views=[view]))


def test_synthetic_scenes_to_packed_views():
    steps = [
        dict(type='LoadSyntheticScene', with_masks=True),
        dict(type='LoadRegionMap', source='masks'),
        dict(
            type='AugmentedViews',
            transforms=[dict(type='RandomView', crop_size=(64, 64), flip_prob=1.0)],
        ),
        dict(type='PackViews'),
    ]
    results = dict(split='train', scene_index=0)
    loaded = Compose([TRANSFORMS.build(step) for step in steps[:2]])(dict(results))
    np.random.seed(0)
    packed = Compose([TRANSFORMS.build(step) for step in steps])(results)
    sample = packed['data_samples']
    assert not hasattr(sample, 'gt_sem_seg')
    # A region has the same colors in view and image: the mean color of one region agrees.
    image = mmcv.imflip(loaded['img']).astype(float)
    regions = mmcv.imflip(loaded['gt_region_map'])
    big = np.bincount(regions.ravel()).argmax()
    for view, ids in zip(packed['inputs']['views'], sample.regions, strict=True):
        assert set(ids.unique().tolist()) <= {-1, *np.unique(regions).tolist()}
        found = view.permute(1, 2, 0).numpy()[ids.numpy() == big].mean(0)
        assert np.abs(found - image[regions == big].mean(0)).max() < 15
