import numpy as np
import pytest
import torch

from mmseg_langseg.masks.generators import build_generator


def test_unknown_generators_and_options_are_named():
    with pytest.raises(ValueError, match="no generator 'sams'; available: felzenszwalb, slic"):
        build_generator('sams')
    for name in ('felzenszwalb', 'slic', 'dino'):
        with pytest.raises(ValueError, match=r"unknown options \['sigmas'\]"):
            build_generator(name, sigmas=1)
    with pytest.raises(ValueError, match='unknown options') as error:
        build_generator('slic', **{'x' * 9999: 1})
    assert len(str(error.value)) < 500
    assert build_generator('felzenszwalb', scale=7).settings['scale'] == 7


def test_dino_regions_do_not_depend_on_what_came_before():
    options = dict(model_name='test_vit', pretrained=False, num_clusters=5, pixels=80 * 80)
    torch.manual_seed(0)
    generator = build_generator('dino', **options)
    image = np.random.default_rng(0).integers(0, 256, (30, 70, 3)).astype(np.uint8)
    regions = generator.regions(image)
    generator.regions(image[::2])
    assert np.array_equal(generator.regions(image), regions)
    assert regions.shape == (30, 70) and regions.dtype == np.int32
    assert set(np.unique(regions)) == set(range(5))
    assert len(generator.masks(image)) == 5
    for size in ((1, 1), (2, 900)):
        assert generator.regions(np.zeros((*size, 3), np.uint8)).shape == size


def test_options_are_checked_before_the_first_image():
    wrong = {
        'felzenszwalb': dict(scale=-1, sigma=-0.1, min_size=2, max_regions=0, max_pixels=0),
        'slic': dict(num_superpixels=0, compactness=0, max_regions=2.5, max_pixels='many'),
        'dino': dict(num_clusters=0, pixels=-5, pretrained='no'),
    }
    for name, options in wrong.items():
        for option, value in options.items():
            with pytest.raises(ValueError, match=f'^{option}={value!r}: expected'):
                build_generator(name, **{option: value})
    for value in ('abc', float('nan'), float('inf'), 10**400, None, True, [30]):
        with pytest.raises(ValueError, match=r'^scale=.*: expected a finite number above 0'):
            build_generator('felzenszwalb', scale=value)
    with pytest.raises(ValueError, match='num_clusters=16: 512 pixels have 2 patches of 16 x 16'):
        build_generator('dino', model_name='test_vit', pretrained=False, pixels=512)
