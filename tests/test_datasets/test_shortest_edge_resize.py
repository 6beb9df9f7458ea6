import numpy as np
import pytest
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmseg_langseg.datasets import shortest_edge_size

# Output sizes of detectron2 0.6's ResizeShortestEdge(640, 2560). In the last five, mmcv's rounding
# of the same rule is off by one pixel.
SIZES = {
    (480, 640): (640, 853),
    (640, 480): (853, 640),
    (333, 500): (640, 961),
    (1024, 2048): (640, 1280),
    (300, 1500): (512, 2560),
    (1, 9): (284, 2560),
    (5120, 977): (2560, 488),
    (427, 5120): (213, 2560),
    (119, 5120): (59, 2560),
    (411, 3072): (342, 2560),
    (525, 3072): (437, 2560),
}


def build():
    return TRANSFORMS.build(dict(type='ShortestEdgeResize', scale=(2560, 640)))


@pytest.mark.parametrize('before, after', SIZES.items())
def test_sizes_are_those_of_detectron2(before, after):
    assert shortest_edge_size(*before, 640, 2560) == after


def test_pixels_are_those_of_pillow_and_labels_are_nearest():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (900, 1300, 3), np.uint8)
    labels = rng.integers(0, 20, (900, 1300), np.uint8)
    results = build()(dict(img=image, gt_seg_map=labels))
    size = (924, 640)  # (width, height)
    expected = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    assert np.array_equal(results['img'], expected)
    nearest = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
    assert np.array_equal(results['gt_seg_map'], nearest)
    assert results['img_shape'] == (640, 924) and results['scale'] == size
    assert results['scale_factor'] == pytest.approx((924 / 1300, 640 / 900))
