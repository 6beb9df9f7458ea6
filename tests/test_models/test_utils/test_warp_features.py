"""Feature warping against directly computed coordinates and against views made by OpenCV."""

import numpy as np
import pytest
import torch

from mmseg_langseg.datasets import RandomView, view_matrix
from mmseg_langseg.datasets.transforms.random_view import ViewGeometry
from mmseg_langseg.models.utils import warp_features


def coordinate_features(height, width):
    """``(1, 2, height, width)``: column and row of each cell."""
    rows, cols = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    return torch.stack([cols, rows])[None].float()


def random_geometry(rng, crop):
    """Draw a size from much smaller to much larger than the crop, with any aspect ratio."""
    size = tuple(int(rng.integers(crop_side // 3, 3 * crop_side)) for crop_side in crop)
    origin = tuple(
        int(rng.integers(0, max(side - crop_side, 0) + 1))
        for side, crop_side in zip(size, crop, strict=True)
    )
    return ViewGeometry(size, bool(rng.integers(2)), origin)


def direct(geometry, crop, view_size, feature_size):
    """Trace each view cell back to feature cell coordinates (x, y), with validity."""
    places, inside = [], []
    for axis in (1, 0):
        cells, side = view_size[axis], geometry.size[axis]
        pixels = (np.arange(cells) + 0.5) * crop[axis] / cells  # in the view
        pixels = pixels + geometry.origin[axis]  # in the flipped image
        if axis == 1 and geometry.flip:
            pixels = side - pixels  # in the resized image
        inside.append((pixels >= 0) & (pixels <= side))
        place = pixels / side * feature_size[axis] - 0.5
        places.append(np.clip(place, 0, feature_size[axis] - 1))
    x, y = np.meshgrid(*places)
    return np.stack([x, y]), inside[1][:, None] & inside[0]


@pytest.mark.parametrize('feature_size', [(7, 9), (14, 14), (5, 31)])
@pytest.mark.parametrize('crop', [(64, 64), (48, 96)])
def test_warped_coordinates(feature_size, crop):
    rng = np.random.default_rng(sum(crop) + sum(feature_size))
    geometries = [random_geometry(rng, crop) for _ in range(30)]
    matrices = torch.from_numpy(np.stack([view_matrix(g, crop) for g in geometries]))[None]
    view_size = (crop[0] // 8, crop[1] // 8)
    warped, valid = warp_features(coordinate_features(*feature_size), matrices, view_size)
    assert warped.shape == (30, 2, *view_size) and valid.shape == (30, *view_size)
    assert warped.dtype == torch.float32 and valid.dtype == torch.bool
    for i, geometry in enumerate(geometries):
        expected, inside = direct(geometry, crop, view_size, feature_size)
        assert np.array_equal(valid[i], inside)
        error = np.abs(warped[i].numpy() - expected)
        assert error[:, inside].max() < 0.01
        assert (warped[i].numpy()[:, ~inside] == 0).all()
    assert valid.any() and not valid.all()
    assert {geometry.flip for geometry in geometries} == {True, False}


@pytest.mark.parametrize('size', [(30, 41), (25, 20), (13, 60)])
def test_the_warped_image_is_the_view(size):
    """With the image's pixels as features, the warp must equal the output of RandomView."""
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (*size, 3)).astype(np.float32)
    regions = np.arange(size[0] * size[1], dtype=np.int32).reshape(size)
    step = RandomView((28, 36))
    np.random.seed(0)
    views = [
        step(dict(img=image, gt_region_map=regions, seg_fields=['gt_region_map']))
        for _ in range(12)
    ]
    matrices = torch.from_numpy(np.stack([view['view_matrix'] for view in views]))[None]
    features = torch.from_numpy(image.transpose(2, 0, 1))[None]
    warped, valid = warp_features(features, matrices, (28, 36))
    for view, found, inside in zip(views, warped, valid.numpy(), strict=True):
        assert np.array_equal(inside, view['gt_region_map'] >= 0)
        difference = np.abs(found.numpy().transpose(1, 2, 0) - view['img'])
        assert difference[inside].max() < 0.05
    assert not valid.all()


def test_views_of_one_image_are_adjacent():
    rng = np.random.default_rng(1)
    features = torch.from_numpy(rng.normal(size=(3, 4, 6, 5))).float()
    matrices = torch.from_numpy(
        np.stack(
            [[view_matrix(random_geometry(rng, (16, 16)), (16, 16)) for _ in 'ab'] for _ in 'abc']
        )
    )
    warped, valid = warp_features(features, matrices, (4, 3))
    for image in range(3):
        for view in range(2):
            one, one_valid = warp_features(
                features[image : image + 1], matrices[image : image + 1, view : view + 1], (4, 3)
            )
            assert torch.equal(warped[2 * image + view], one[0])
            assert torch.equal(valid[2 * image + view], one_valid[0])


def test_a_view_of_padding_only():
    matrices = torch.tensor([[[[1.0, 0, 0], [0, 1, 0]], [[1.0, 0, 5], [0, 1, 0]]]])
    warped, valid = warp_features(torch.ones(1, 2, 3, 3), matrices, (3, 3))
    assert valid[0].all() and not valid[1].any()
    assert (warped[0] == 1).all() and (warped[1] == 0).all()


def test_half_precision_moves_nothing():
    rng = np.random.default_rng(2)
    matrices = torch.from_numpy(
        np.stack([view_matrix(random_geometry(rng, (64, 64)), (64, 64)) for _ in range(8)])
    )[None]
    features = coordinate_features(30, 40)
    expected, expected_valid = warp_features(features, matrices, (16, 16))
    with torch.autocast('cpu', torch.bfloat16):
        found, valid = warp_features(features.half(), matrices, (16, 16))
    assert found.dtype == torch.float32
    assert torch.equal(found, expected) and torch.equal(valid, expected_valid)


@pytest.mark.parametrize('shape', [(3, 2, 2, 3), (2, 2, 3), (2, 2, 3, 3)])
def test_wrong_matrices_are_named(shape):
    with pytest.raises(ValueError, match=r'expected matrices \(B, V, 2, 3\) for 2 images, got'):
        warp_features(torch.ones(2, 4, 3, 3), torch.zeros(shape), (3, 3))
