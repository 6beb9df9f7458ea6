"""Labels that MMSegmentation's LoadAnnotations reads are checked like those of LoadLabelMap."""

import numpy as np
import pytest
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmseg_langseg.datasets import LabelFileError, check_labels
from tests.test_datasets.test_label_check import BAD_LABELS, SIZE, beyond, deep, write_folder

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


def build(root, **changes):
    base = dict(
        type='BaseSegDataset',
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        metainfo=dict(classes=('sky', 'grass'), palette=[[0, 0, 0], [9, 9, 9]]),
        pipeline=PIPELINE,
    )
    return DATASETS.build({**base, **changes})


@BAD_LABELS
def test_a_bad_label_map_is_named_before_the_first_image(tmp_path, label, message):
    with pytest.raises(LabelFileError, match=rf'labels/a\.png: .*{message}'):
        check_labels(build(write_folder(tmp_path, label=label)))


def test_a_text_file_is_named(tmp_path):
    write_folder(tmp_path)
    (tmp_path / 'labels/a.png').write_text('sky')
    with pytest.raises(LabelFileError, match=r'labels/a\.png: .* it is not an image file') as error:
        check_labels(build(tmp_path))
    assert 'BytesIO' not in str(error.value)


def test_what_is_loaded_right_passes(tmp_path):
    for number, label in enumerate((None, deep)):
        dataset = build(write_folder(tmp_path / str(number), label=label))
        check_labels(dataset)
        found = dataset[0]['data_samples'].gt_sem_seg.data[0].numpy()
        assert found[[0, 3, 7], 0].tolist() == [255, 0, 1]
        # The loader holds the dataset's reduce_zero_label by now.
        check_labels(dataset)


def test_zero_is_reduced_and_classes_are_mapped(tmp_path):
    root = write_folder(tmp_path, label=lambda plain: plain + (plain < 2))
    Image.fromarray(np.full(SIZE, 2, np.uint8)).save(root / 'labels/b.png')
    with pytest.raises(LabelFileError, match=r'a\.png: label value 2 .* expected 0 to 1'):
        check_labels(build(root))
    check_labels(build(root, reduce_zero_label=True))
    with pytest.raises(ValueError, match='has reduce_zero_label=True, but its dataset False'):
        step = dict(type='LoadAnnotations', reduce_zero_label=True)
        check_labels(build(root, pipeline=[PIPELINE[0], step]))
    voc = dict(type='PascalVOCDataset', ann_file='val.txt', metainfo=dict(classes=('aeroplane',)))
    (root / 'val.txt').write_text('a\n')
    check_labels(build(root, **voc))


def test_what_the_metric_ignores_is_the_only_other_label(tmp_path):
    dataset = build(write_folder(tmp_path, label=beyond))
    with pytest.raises(LabelFileError, match='label value 255'):
        check_labels(dataset, ignored=7)
    for stem in 'ab':
        Image.fromarray(np.eye(*SIZE, dtype=np.uint8) * 7).save(tmp_path / f'labels/{stem}.png')
    check_labels(dataset, ignored=7)
    check_labels(build(tmp_path, ignore_index=7))
    with pytest.raises(LabelFileError, match='label value 7 '):
        check_labels(dataset)
    with pytest.raises(LabelFileError, match='label value 7 '):
        check_labels(dataset, ignored=0)


def test_more_classes_than_a_byte_holds_are_refused(tmp_path):
    dataset = build(write_folder(tmp_path), metainfo=dict(classes=list(map(str, range(300)))))
    with pytest.raises(ValueError, match='8 bits, too few for 300 classes; use LoadLabelMap'):
        check_labels(dataset)


def test_images_that_are_no_photos_are_left_alone(tmp_path):
    """Arrays and satellite images have loaders of their own."""
    write_folder(tmp_path)
    for stem in 'ab':
        np.save(tmp_path / f'images/{stem}.npy', np.zeros((*SIZE, 9)))
    tiff = dict(PIPELINE[0], imdecode_backend='tifffile')
    for pipeline in (PIPELINE[1:], [tiff, *PIPELINE[1:]]):
        check_labels(build(tmp_path, img_suffix='.npy', pipeline=pipeline))
    with pytest.raises(LabelFileError, match=r'a\.npy: '):
        check_labels(build(tmp_path, img_suffix='.npy'))


def test_other_loaders_are_left_alone(tmp_path):
    @TRANSFORMS.register_module(force=True)
    class LoadColors(LoadAnnotations):
        pass

    dataset = build(write_folder(tmp_path, label=beyond), pipeline=[dict(type='LoadColors')])
    check_labels(dataset)
    step = dict(type='LoadAnnotations', imdecode_backend='tifffile')
    check_labels(build(tmp_path, pipeline=[step]))


def test_a_bomb_is_one_bad_file(tmp_path):
    write_folder(tmp_path)
    Image.new('L', (15_000, 15_000)).save(tmp_path / 'labels/a.png')
    with pytest.raises(LabelFileError, match=r'labels/a\.png: .*225000000 pixels'):
        check_labels(build(tmp_path, pipeline=PIPELINE[1:]))
