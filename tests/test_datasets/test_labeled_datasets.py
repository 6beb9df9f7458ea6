import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_langseg.datasets import FolderSegDataset, PascalVOC20Dataset

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


def write_sample(root, images, labels, label_map):
    for folder in (images, labels):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.new('RGB', label_map.shape[::-1]).save(root / images / 'a.jpg')
    Image.fromarray(label_map).save(root / labels / 'a.png')


def test_voc20_ignores_background_and_border(tmp_path):
    label_map = np.array([[0, 1, 2], [20, 255, 7]], dtype=np.uint8)
    write_sample(tmp_path, 'JPEGImages', 'SegmentationClass', label_map)
    (tmp_path / 'val.txt').write_text('a\n')
    dataset = DATASETS.build(
        dict(
            type='PascalVOC20Dataset',
            data_root=str(tmp_path),
            data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
            ann_file='val.txt',
            pipeline=PIPELINE,
            test_mode=True,
        )
    )
    assert isinstance(dataset, PascalVOC20Dataset)
    found = dataset[0]['data_samples'].gt_sem_seg.data[0]
    assert found.tolist() == [[255, 0, 1], [19, 255, 6]]
    assert dataset.metainfo['classes'] == PascalVOCDataset.METAINFO['classes'][1:]
    assert len(dataset.metainfo['palette']) == 20
    assert dataset.metainfo['palette'][0] == [128, 0, 0]


@pytest.fixture
def folder(tmp_path):
    write_sample(tmp_path, 'images', 'labels', np.array([[0, 1], [2, 255]], dtype=np.uint8))
    (tmp_path / 'classes.txt').write_text('cat\ntraffic light\n sky-other \n')
    return tmp_path


def build(folder, **kwargs):
    cfg = dict(
        type='FolderSegDataset',
        classes='classes.txt',
        data_root=str(folder),
        pipeline=PIPELINE,
        test_mode=True,
    )
    return DATASETS.build(cfg | kwargs)


def test_folder_with_class_file(folder):
    dataset = build(folder)
    assert isinstance(dataset, FolderSegDataset)
    assert dataset.metainfo['classes'] == ['cat', 'traffic light', 'sky-other']
    assert dataset[0]['data_samples'].gt_sem_seg.data[0].tolist() == [[0, 1], [2, 255]]
    assert build(folder, classes=['x', 'y', 'z']).metainfo['classes'] == ['x', 'y', 'z']
    assert build(folder, classes=str(folder / 'classes.txt')).metainfo == dataset.metainfo


@pytest.mark.parametrize(
    'kwargs, error, message',
    [
        (dict(classes='gone.txt'), FileNotFoundError, r'class file .*gone\.txt does not exist'),
        (dict(classes=[]), ValueError, 'contains no class name'),
        (dict(classes=['a', '', 'b']), ValueError, 'classes, entry 2: .* has an empty name'),
        (
            dict(classes=['a', 'b', 'a']),
            ValueError,
            "entry 3: 'a' is a duplicate of number",
        ),
        (dict(ignore_index=10**5000), ValueError, 'ignore_index: .* an integer of 16610 bits'),
        (dict(ignore_index='9' * 5000), ValueError, 'ignore_index: expected an integer'),
        (dict(label_mapping={'9' * 5000: 1}), ValueError, 'label_mapping, value'),
        (dict(label_mapping=True), ValueError, 'label_mapping: expected a dict .*, got True'),
        (
            dict(data_prefix=dict(img_path='gone', seg_map_path='labels')),
            FileNotFoundError,
            'image folder .*gone does not exist',
        ),
        (dict(img_suffix='.tif'), ValueError, r'no image in .*images; expected .* \.tif'),
    ],
)
def test_wrong_settings_are_named(folder, kwargs, error, message):
    with pytest.raises(error, match=message):
        build(folder, **kwargs)
