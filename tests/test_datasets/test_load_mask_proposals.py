"""Masks to classify in a test, and their true classes."""

import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from mmseg_langseg.fileio import MaskFileError
from mmseg_langseg.masks.formats import decode_rle, encode_masks, write_mask_file

SIZE = (6, 8)


def labels(kind=np.uint8, ignored=255):
    """Return columns of three pixels of class 0 and 4, and two ignored ones."""
    return np.tile(np.repeat(np.array([0, 4, ignored], kind), (3, 3, 2)), (SIZE[0], 1))


def load(gt_seg_map, img_path='images/x/a.jpg', ori_shape=SIZE, **options):
    step = TRANSFORMS.build(dict(type='LoadMaskProposals', **options))
    return step(dict(img_path=img_path, ori_shape=ori_shape, gt_seg_map=gt_seg_map))


@pytest.mark.parametrize(('kind', 'ignored'), [(np.uint8, 255), (np.int32, 65535)])
def test_segments_of_the_label_map(kind, ignored):
    results = load(labels(kind, ignored), ignore_index=ignored)
    assert results['mask_classes'] == [0, 4]
    first, second = (decode_rle(rle) for rle in results['mask_rles'])
    assert np.array_equal(first, labels() == 0) and np.array_equal(second, labels() == 4)
    nothing = load(np.full(SIZE, ignored, kind), ignore_index=ignored)
    assert nothing['mask_classes'] == nothing['mask_rles'] == []


def test_masks_of_files(tmp_path):
    masks = np.zeros((5, *SIZE), bool)
    masks[0, :, 1:5] = True  # two columns of each class: the first
    masks[1, 2:4, 2:6] = True  # one column of class 0, three of class 4
    masks[2, :, 4:] = True  # two columns each of class 4 and ignored: class 4
    masks[3, :, 5:] = True  # one column of class 4, two ignored
    path = tmp_path / 'x/a.json'
    write_mask_file(path, encode_masks(masks), SIZE, 'a.jpg')
    options = dict(mask_root=str(tmp_path), image_root='images')
    results = load(labels(), **options)
    assert results['mask_classes'] == [0, 4, 4, 255, 255]
    found = np.stack([decode_rle(rle) for rle in results['mask_rles']])
    assert np.array_equal(found, masks)
    large = load(labels(), mask_filter=dict(min_area=0.4), **options)
    assert large['mask_classes'] == [0, 4]
    with pytest.raises(MaskFileError, match=r'x/b\.json: mask file cannot be read'):
        load(labels(), 'images/x/b.jpg', **options)
    with pytest.raises(MaskFileError, match='were the images resized without their masks'):
        load(labels()[:, :4], ori_shape=(6, 4), **options)


@pytest.mark.parametrize('gt_seg_map', [None, labels()[:3]])
def test_label_maps_of_another_size(gt_seg_map):
    with pytest.raises(
        ValueError, match=r'a\.jpg: LoadMaskProposals needs a label map of the size 6 x 8'
    ):
        load(gt_seg_map)
