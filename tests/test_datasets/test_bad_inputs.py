"""Odd and broken images and masks in the pipeline that trains PixelCLIP on SA-1B."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import ImageFileError, MaskFileError
from mmseg_langseg.masks.formats import write_mask_file
from tests.scripts import ROOT


@pytest.fixture(scope='module')
def pipeline():
    steps = Config.fromfile(ROOT / 'configs/_base_/datasets/unlabeled_masks.py').train_pipeline
    # No random flip in these tests.
    return [step for step in steps if step.type != 'RandomFlip']


def build(root, pipeline, **kwargs):
    return DATASETS.build(
        dict(type='UnlabeledMaskDataset', data_root=str(root), pipeline=pipeline) | kwargs
    )


def write(root, name, image, size=None, **options):
    """Write an image and one mask that covers its upper left part."""
    (root / 'images').mkdir(exist_ok=True)
    path = root / 'images' / name
    if isinstance(image, np.ndarray):
        assert cv2.imwrite(str(path), image)
    else:
        image.save(path, **options)
    height, width = size or np.asarray(image).shape[:2]
    mask = np.zeros((height, width), np.uint8)
    mask[: -(-height // 2), : -(-width // 2)] = 1
    rles = [coco_mask.encode(np.asfortranarray(mask))]
    write_mask_file((root / 'masks' / name).with_suffix('.json'), rles, (height, width), name)
    return path


def colors(height=12, width=20):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def turned(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    write(root, 'x.jpg', Image.fromarray(colors()), size=(20, 12), exif=exif)


ODD = dict(
    one=lambda root: write(root, 'x.png', colors(1, 1)),
    long=lambda root: write(root, 'x.png', np.zeros((50, 20000, 3), np.uint8)),
    tall=lambda root: write(root, 'x.png', np.zeros((20000, 50, 3), np.uint8)),
    cmyk=lambda root: write(root, 'x.jpg', Image.fromarray(colors()).convert('CMYK')),
    gray=lambda root: write(root, 'x.jpg', Image.fromarray(colors()).convert('L')),
    color16=lambda root: write(root, 'x.png', colors().astype(np.uint16) * 257),
    gray16=lambda root: write(root, 'x.png', colors()[..., 0].astype(np.uint16) * 257),
    turned=turned,
)


@pytest.mark.parametrize('kind', ODD)
def test_odd_images_give_samples(tmp_path, pipeline, kind):
    ODD[kind](tmp_path)
    np.random.seed(0)
    sample = build(tmp_path, pipeline, on_bad_file='stop')[0]
    weak, masks = sample['inputs']['weak'], sample['data_samples'].masks
    assert weak.dtype == sample['inputs']['strong'].dtype and weak.shape[0] == 3
    assert max(weak.shape) <= 640 and masks.shape == (1, 256, 256)
    if kind == 'turned':
        assert sample['data_samples'].ori_shape == (20, 12)


def test_sixteen_bits_are_the_same_colors(tmp_path, pipeline):
    write(tmp_path, 'x.png', colors().astype(np.uint16) * 257)
    assert np.array_equal(build(tmp_path, pipeline[:1])[0]['img'], colors())


@pytest.mark.parametrize('share', [0.0, 0.02, 0.5, 0.97])
def test_a_cut_image_is_refused_however_much_is_left(tmp_path, pipeline, share):
    path = write(tmp_path, 'x.jpg', colors(64, 64))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    reason = 'the file is empty|the JPEG is truncated|cannot be decoded'
    message = rf'x\.jpg: image cannot be read or decoded \(({reason})'
    with pytest.raises(ImageFileError, match=message):
        build(tmp_path, pipeline, on_bad_file='stop')[0]


@pytest.mark.parametrize('area', [-5, 10**30, 'many', None])
def test_wrong_areas_in_the_file_change_nothing(tmp_path, pipeline, area):
    write(tmp_path, 'x.png', colors())
    path = tmp_path / 'masks/x.json'
    content = json.loads(path.read_text())
    content['annotations'][0].update(area=area, bbox=[-1, 0, 10**9, 2])
    path.write_text(json.dumps(content))
    steps = [pipeline[0], dict(pipeline[1], mask_filter=dict(min_area=0.24, max_area=0.26))]
    rles = build(tmp_path, steps, on_bad_file='stop')[0]['mask_rles']
    assert [int(coco_mask.area(rle)) for rle in rles] == [60]


def test_masks_of_another_image_are_refused(tmp_path, pipeline):
    for name in ('a.png', 'b.png'):
        write(tmp_path, name, colors())
    (tmp_path / 'masks/b.json').write_bytes((tmp_path / 'masks/a.json').read_bytes())
    dataset = build(tmp_path, pipeline, on_bad_file='stop')
    dataset[0]
    with pytest.raises(MaskFileError, match=r"b\.json: these are the masks of the image 'a\.png'"):
        dataset[1]


def test_a_missing_score_is_reported_once_for_all_samples(tmp_path, pipeline):
    write(tmp_path, 'x.png', colors())
    steps = [pipeline[0], dict(pipeline[1], mask_filter=dict(min_predicted_iou=0.9))]
    with pytest.raises(ValueError, match=r"all 1 samples .*x\.json.*'predicted_iou' is None"):
        build(tmp_path, steps)[0]


def test_images_of_one_stem(tmp_path, pipeline):
    for name in ('a.jpg', 'a.png', 'b.jpg'):
        write(tmp_path, name, colors())
    dataset = build(tmp_path, pipeline)
    names = [dataset.get_data_info(i)['img_path'].rsplit('/')[-1] for i in range(len(dataset))]
    assert names == ['a.jpg', 'b.jpg'] and dataset.num_skipped == 1
    with pytest.raises(ValueError, match=r'1 of 3 images have the same stem as another.*a\.png'):
        build(tmp_path, pipeline, on_bad_file='stop')
    # Without mask files, which they would share, all images are used.
    assert len(build(tmp_path, pipeline[:1], data_prefix=dict(img_path='images'))) == 3
    (tmp_path / 'list.txt').write_text('b.jpg\nb\nb.jpg\n')
    assert len(build(tmp_path, pipeline, ann_file='list.txt', on_bad_file='stop')) == 1
