"""Label map loading: as in mmseg where that is correct, otherwise an error naming the file."""

import numpy as np
import pytest
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from mmseg_langseg.datasets import LabelFileError, LoadLabelMap

VALUES = np.array([[0, 1, 2, 3], [150, 200, 254, 255]], np.uint8)


def results(path, **changes):
    return dict(seg_map_path=str(path), reduce_zero_label=False, seg_fields=[]) | changes


def write(path, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def palette(values):
    image = Image.fromarray(values, 'P')
    image.putpalette(list(range(256)) * 3)
    return image


@pytest.mark.parametrize('label_map', [None, {0: 3, 3: 255, 255: 1}, {1: 0, 2: 1}])
@pytest.mark.parametrize('reduce', [False, True])
@pytest.mark.parametrize(
    'name, image',
    [
        ('gray.png', Image.fromarray(VALUES)),
        ('palette.png', palette(VALUES)),
        ('bits.png', Image.fromarray(VALUES > 100)),
        ('gray.tif', Image.fromarray(VALUES)),
        ('gray.bmp', Image.fromarray(VALUES)),
        ('deep.png', Image.fromarray(np.where(VALUES == 255, np.uint16(65535), VALUES))),
        ('deep.tif', Image.fromarray(VALUES.astype(np.uint16))),
    ],
)
def test_equal_to_mmsegs_loader(tmp_path, name, image, reduce, label_map):
    path = write(tmp_path / name, image)
    given = results(path, label_map=label_map, reduce_zero_label=reduce)
    ours = LoadLabelMap().transform(dict(given, seg_fields=[]))
    theirs = LoadAnnotations().transform(dict(given, seg_fields=[]))
    assert ours['gt_seg_map'].dtype == theirs['gt_seg_map'].dtype == np.uint8
    np.testing.assert_array_equal(ours['gt_seg_map'], theirs['gt_seg_map'])
    assert ours['seg_fields'] == theirs['seg_fields'] == ['gt_seg_map']


def test_16_bits_never_wrap(tmp_path):
    for value in (256, 300, 65534):
        path = write(tmp_path / 'a.png', np.array([[0, value]], np.uint16))
        with pytest.raises(LabelFileError, match=rf'a\.png: label value {value} \(1 pixels\)'):
            LoadLabelMap().transform(results(path))
        loaded = LoadLabelMap(ignore_index=65535).transform(results(path))['gt_seg_map']
        assert loaded.tolist() == [[0, value]] and loaded.dtype == np.int32
    path = write(tmp_path / 'a.tif', np.array([[255, 65535]], np.uint16))
    assert LoadLabelMap().transform(results(path))['gt_seg_map'].tolist() == [[255, 255]]
    wide = LoadLabelMap(ignore_index=65535).transform(results(path))
    assert wide['gt_seg_map'].tolist() == [[255, 65535]]


@pytest.mark.parametrize(
    'image, message',
    [
        (np.zeros((2, 4, 3), np.uint8), r'mode RGB \(3 channels\); expected one channel'),
        (np.zeros((2, 4, 4), np.uint8), r'mode RGBA \(4 channels\)'),
        (Image.new('LA', (4, 2)), r'mode LA \(2 channels\)'),
        (np.zeros((1, 4), np.uint8), '1 x 4, its image 2 x 4; resize the label map without'),
        (np.full((2, 4), 7, np.uint8), r'value 7 \(8 pixels\) .*; expected 0 to 1, or .*255'),
    ],
)
def test_what_no_label_map_is_names_the_file(tmp_path, image, message):
    path = write(tmp_path / 'a.png', image)
    with pytest.raises(LabelFileError, match=rf'a\.png: .*{message}'):
        LoadLabelMap().transform(results(path, ori_shape=(2, 4), num_classes=2))


def test_floats_and_negative_numbers_are_refused(tmp_path):
    for image, message in (
        (Image.new('F', (4, 2)), 'mode F'),
        (Image.fromarray(np.full((2, 4), -1, np.int32)), 'values -1 to -1; expected 0 to 65535'),
    ):
        path = write(tmp_path / 'a.tif', image)
        with pytest.raises(LabelFileError, match=rf'a\.tif: .*{message}'):
            LoadLabelMap().transform(results(path))


@pytest.mark.parametrize('cut', [0, 1, 8, 30, 0.5, 0.9, 0.99])
def test_damaged_files_name_themselves(tmp_path, cut):
    noise = np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8)
    path = write(tmp_path / 'a.png', noise)
    content = path.read_bytes()
    path.write_bytes(content[: cut if cut >= 1 else int(cut * len(content))])
    with pytest.raises(LabelFileError, match=r'a\.png: label map cannot be decoded'):
        LoadLabelMap().transform(results(path))


def test_a_missing_file_names_itself(tmp_path):
    with pytest.raises(LabelFileError, match=r'gone\.png: this label map does not exist'):
        LoadLabelMap().transform(results(tmp_path / 'gone.png'))


def test_a_bomb_is_one_bad_file(tmp_path):
    """Refused by its header, whether or not the size matches the image; nothing is decoded."""
    path = write(tmp_path / 'a.png', Image.new('1', (15_000, 15_000)))
    for size in (None, (15_000, 15_000), (2, 4)):
        with pytest.raises(
            LabelFileError, match=r'a\.png: label map cannot be decoded .*225000000'
        ):
            LoadLabelMap().transform(results(path, ori_shape=size))


def test_images_without_labels_pass():
    assert LoadLabelMap().transform(dict(img_path='a.jpg')) == dict(img_path='a.jpg')


def test_settings_that_do_not_suit_each_other(tmp_path):
    with pytest.raises(ValueError, match='ignore_index=11: expected 255, or 65535'):
        LoadLabelMap(ignore_index=11)
    path = write(tmp_path / 'a.png', np.zeros((2, 4), np.uint16))
    with pytest.raises(ValueError, match='300 classes need ignore_index=65535'):
        LoadLabelMap().transform(results(path, num_classes=300, ignore_index=65535))
    with pytest.raises(ValueError, match='11 classes need ignore_index=255'):
        LoadLabelMap(65535).transform(results(path, num_classes=11, ignore_index=255))
    with pytest.raises(ValueError, match='subset of more than 255 classes'):
        LoadLabelMap(65535).transform(results(path, label_map={0: 255}))


def test_repr_names_the_arguments():
    assert repr(LoadLabelMap(65535)) == 'LoadLabelMap(ignore_index=65535, backend_args=None)'
