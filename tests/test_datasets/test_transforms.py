import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmseg.registry import TRANSFORMS
from PIL import Image
from pycocotools import mask as coco_mask
from torch.nn import functional as F

from mmseg_langseg.datasets import pixel_index_map

OFFICIAL_GEOMETRY = [
    dict(type='Resize', scale=(1333, 1024), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(640, 640)),
    dict(type='RandomFlip', prob=1.0),
]


def compose(steps):
    return Compose([TRANSFORMS.build(step) for step in steps])


def sample(height, width, num_masks=4, seed=0):
    """Return a random image with a pixel index map and masks, and the masks as arrays."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, (height, width, num_masks), dtype=np.uint8)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    results = dict(
        img=image,
        img_shape=(height, width),
        ori_shape=(height, width),
        mask_rles=coco_mask.encode(np.asfortranarray(masks)),
        gt_seg_map=pixel_index_map(height, width),
        seg_fields=['gt_seg_map'],
    )
    return results, masks.transpose(2, 0, 1).astype(bool)


def torch_nearest(masks, size):
    return F.interpolate(torch.from_numpy(masks)[None].float(), size=size, mode='nearest')[0].bool()


def nearest(masks, size):
    """Pixel floor(i * H / h), in exact integers (torch computes the ratio in float32)."""
    (height, width), (rows, cols) = masks.shape[1:], size
    rows = [i * height // rows for i in range(rows)]
    cols = [i * width // cols for i in range(cols)]
    return masks[:, rows][:, :, cols]


@pytest.mark.parametrize('size', [(428, 640), (640, 428), (300, 900), (64, 64)])
def test_stock_geometry_carries_the_masks(size):
    results, masks = sample(*size)
    np.random.seed(7)
    packed = compose([*OFFICIAL_GEOMETRY, dict(type='PackMaskInputs')])(dict(results))
    found = packed['data_samples'].masks
    assert found.shape == (4, 256, 256) and found.dtype == torch.bool
    # Reference: every mask goes through the same steps as a separate label map.
    for i, mask in enumerate(masks):
        np.random.seed(7)
        alone = compose(OFFICIAL_GEOMETRY)(dict(results, gt_seg_map=mask.astype(np.uint8)))
        expected = nearest(alone['gt_seg_map'][None].astype(bool), (256, 256))[0]
        assert np.array_equal(found[i], expected)


def test_flip_moves_masks_with_the_image():
    results, masks = sample(12, 10)
    packed = compose(
        [dict(type='RandomFlip', prob=1.0), dict(type='PackMaskInputs', mask_size=(12, 10))]
    )(results)
    assert np.array_equal(packed['data_samples'].masks, masks[:, :, ::-1])


def test_official_resize_and_crop_sizes():
    for size, resized in [((480, 640), (1000, 1333)), ((640, 640), (1024, 1024))]:
        results, _ = sample(*size)
        assert compose(OFFICIAL_GEOMETRY[:1])(results)['img'].shape[:2] == resized
    results, _ = sample(300, 900)
    assert compose(OFFICIAL_GEOMETRY[:2])(results)['img'].shape[:2] == (444, 640)


@pytest.mark.parametrize('in_size, out_size', [((640, 640), (256, 256)), ((100, 30), (40, 40))])
def test_mask_size_is_reached_as_by_torch_nearest(in_size, out_size):
    results, masks = sample(*in_size)
    packed = compose([dict(type='PackMaskInputs', mask_size=out_size)])(results)
    assert torch.equal(packed['data_samples'].masks, torch_nearest(masks, out_size))


def test_pixels_outside_belong_to_no_mask():
    results, masks = sample(6, 8)
    results['gt_seg_map'][2:4] = -1
    masks[:, 2:4] = False
    packed = compose([dict(type='PackMaskInputs', mask_size=(6, 8))])(results)
    assert np.array_equal(packed['data_samples'].masks, masks)


@pytest.mark.parametrize('erase', [True, False])
def test_cutout_is_erased_from_the_masks(erase):
    results, masks = sample(40, 60)
    box = results['cutout_box'] = (11, 3, 50, 27)
    packed = compose([dict(type='PackMaskInputs', mask_size=(20, 20), erase_cutout=erase)])(results)
    if erase:
        masks = masks.copy()
        masks[:, box[1] : box[3], box[0] : box[2]] = False
    assert torch.equal(packed['data_samples'].masks, torch_nearest(masks, (20, 20)))
    assert packed['data_samples'].cutout_box == box


def test_packed_sample_survives_a_move_to_a_device():
    results, _ = sample(8, 8)
    results['img_strong'] = results['img'] // 2
    packed = compose([dict(type='PackMaskInputs', mask_size=(4, 4))])(results)
    assert packed['data_samples'].to('cpu').masks.shape == (4, 4, 4)
    assert packed['inputs']['weak'].dtype == packed['inputs']['strong'].dtype == torch.uint8
    assert np.array_equal(packed['inputs']['strong'], results['img_strong'].transpose(2, 0, 1))


def strong_view(image, **kwargs):
    off = dict(jitter_prob=0.0, gray_prob=0.0, blur_prob=0.0, cutout_prob=0.0)
    return TRANSFORMS.build(dict(type='StrongView') | off | kwargs)(dict(img=image))


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_strong_view_without_any_step_is_the_weak_view(image):
    results = strong_view(image)
    assert np.array_equal(results['img_strong'], image) and 'cutout_box' not in results


def test_gray_sees_rgb(image):
    expected = np.asarray(Image.fromarray(image[..., ::-1].copy()).convert('L'))
    assert np.array_equal(
        strong_view(image, gray_prob=1.0)['img_strong'], expected[..., None].repeat(3, 2)
    )


def test_jitter_and_blur_change_the_strong_view_only(image):
    before = image.copy()
    jittered = strong_view(image, jitter_prob=1.0)
    blurred = strong_view(image, blur_prob=1.0, blur_radius=(2.0, 2.0))
    assert not np.array_equal(jittered['img_strong'], image)
    assert blurred['img_strong'].std() < 0.5 * image.std()
    assert np.array_equal(image, before) and jittered['img'] is image


def test_cutout_box_is_black_inside_the_image_and_of_the_right_size(image):
    image = np.maximum(image, 1)
    sides = []
    for seed in range(200):
        np.random.seed(seed)
        results = strong_view(image, cutout_prob=1.0)
        x0, y0, x1, y1 = results['cutout_box']
        black = (results['img_strong'] == 0).all(2)
        expected = np.zeros((40, 60), bool)
        expected[y0:y1, x0:x1] = True
        assert np.array_equal(black, expected)
        assert 0 <= x0 < x1 <= 60 and 0 <= y0 < y1 <= 40
        sides.append(((x1 - x0) / 60, (y1 - y0) / 40))
    low, high = np.min(sides, 0), np.max(sides, 0)
    assert (low >= 0.1 - 1 / 40).all() and (low < 0.15).all()
    assert (high <= 0.5).all() and (high > 0.45).all()


def test_probabilities_are_the_official_ones():
    view = TRANSFORMS.build(dict(type='StrongView', cutout_size=(0.1, 0.1)))
    # Only changes of hue, saturation or contrast alter a flat color; only grayscale makes it gray.
    flat = np.full((10, 10, 3), (40, 90, 200), dtype=np.uint8)
    torch.manual_seed(0)
    np.random.seed(0)
    grays = changes = 0
    for _ in range(400):
        # The cutout box is one pixel, so blurring does not change each channel's maximum.
        strong = view(dict(img=flat))['img_strong'].max((0, 1)).astype(int)
        grays += np.ptp(strong) == 0
        changes += not np.array_equal(strong, (40, 90, 200))
    assert 0.14 < grays / 400 < 0.26
    # Changed: jittered or gray, 1 - 0.2 * 0.8.
    assert 0.78 < changes / 400 < 0.90


def test_strong_view_accepts_tiny_images():
    results = strong_view(np.full((2, 3, 3), 9, np.uint8), cutout_prob=1.0)
    assert results['img_strong'].shape == (2, 3, 3) and (results['img_strong'] == 0).any()


def test_wrong_cutout_range_is_named():
    with pytest.raises(ValueError, match=r'within \(0, 1\], got \(0.5, 1.5\)'):
        strong_view(None, cutout_size=(0.5, 1.5))


@pytest.mark.parametrize(
    'step, name, value',
    [
        ('StrongView', 'jitter_prob', 1.5),
        ('StrongView', 'gray_prob', -1),
        ('StrongView', 'blur_prob', 'often'),
        ('StrongView', 'cutout_prob', 2),
        ('StrongView', 'blur_radius', (-1, 2)),
        ('PackMaskInputs', 'mask_size', (0, 256)),
        ('PackMaskInputs', 'mask_size', 256),
        ('RandomView', 'crop_size', (448,)),
        ('RandomView', 'flip_prob', 7),
        ('LoadRegionMap', 'max_regions', 0),
        ('LoadUnlabeledImage', 'imdecode_backend', 'cv3'),
    ],
)
def test_options_are_checked_when_the_pipeline_is_built(step, name, value):
    with pytest.raises(ValueError, match=f'{name}='):
        TRANSFORMS.build({'type': step, name: value})
