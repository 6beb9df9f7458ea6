"""Corruptions of test images: reproducible, of the color image, and graded."""

import sys
import types

import numpy as np
import pytest
from mmseg.registry import TRANSFORMS


def image(seed=0, size=(48, 64)):
    """Return a smooth random image, uint8 BGR."""
    rows, columns = np.mgrid[: size[0], : size[1]] / 10
    phases = np.random.default_rng(seed).uniform(0, 6, 3)
    return np.stack([127 + 100 * np.sin(rows + p) * np.cos(columns) for p in phases], 2).astype(
        np.uint8
    )


def corrupt(name, severity, path='images/a.jpg', **options):
    step = TRANSFORMS.build(dict(type='Corrupt', corruption=name, severity=severity))
    options.setdefault('img', image())
    return step(dict(img_path=path, **options))['img']


# impulse_noise does not use the global random numbers.
@pytest.mark.parametrize('name', ['gaussian_noise', 'impulse_noise', 'fog', 'motion_blur'])
def test_random_numbers_depend_on_the_name_of_the_image(name):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first = corrupt(name, 3)
    assert np.array_equal(np.random.get_state()[1], before)
    np.random.seed(2)
    assert np.array_equal(first, corrupt(name, 3, 'elsewhere/a.jpg'))
    assert not np.array_equal(first, corrupt(name, 3, 'images/b.jpg'))
    assert first.dtype == np.uint8 and first.shape == image().shape and first.flags.c_contiguous


@pytest.mark.parametrize('name', ['gaussian_noise', 'impulse_noise', 'jpeg_compression'])
def test_higher_severities_change_more(name):
    changes = [
        np.abs(corrupt(name, severity).astype(int) - image()).mean() for severity in range(1, 6)
    ]
    assert changes == sorted(changes) and changes[0] > 0


def test_colors_are_those_of_an_rgb_image():
    blue, _, red = corrupt('spatter', 5, img=np.full((48, 64, 3), 200, np.uint8)).mean((0, 1))
    assert red > blue + 1  # mud is brown


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('rain', 3), "unknown corruption 'rain'; expected one of gaussian_noise, .*, saturate"),
        (('fog', 0), 'severity 0 of fog; expected an integer, 1 to 5'),
        (('fog', 6), 'severity 6'),
        (('fog', 2.5), 'severity 2.5'),
        (('fog', True), 'severity True'),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        corrupt(*arguments)


@pytest.mark.parametrize(
    'img', [np.zeros((31, 64, 3), np.uint8), np.zeros((64, 64, 3)), np.zeros((64, 64), np.uint8)]
)
def test_wrong_images(img):
    with pytest.raises(ValueError, match=r'images/a\.jpg: corruptions need 8-bit color images'):
        corrupt('fog', 1, img=img)


def test_a_missing_and_an_old_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'imagecorruptions', None)
    with pytest.raises(ImportError, match=r'pip install "mmseg_langseg\[corruptions\]"'):
        corrupt('fog', 1)
    old = types.ModuleType('imagecorruptions')
    old.impulse_noise = lambda x, severity=1: x
    monkeypatch.setitem(sys.modules, 'imagecorruptions', old)
    with pytest.raises(ImportError, match='pip uninstall imagecorruptions'):
        corrupt('fog', 1)
