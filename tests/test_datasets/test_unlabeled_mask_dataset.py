import json
import logging
import os
import re
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmseg_langseg.fileio import FeatureFileError, ImageFileError, MaskFileError, open_image_source
from tests.test_datasets.unlabeled_folders import (
    PIPELINE,
    build,
    damage_rle,
    truncate,
    write_sample,
)


@pytest.fixture
def root(tmp_path):
    for name in ('sa_000001/sa_1', 'sa_000001/sa_2', 'sa_000002/sa_30'):
        write_sample(tmp_path, name)
    return tmp_path


def paths_of(dataset):
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


def test_sub_folders_are_paired_and_masks_arrive(root):
    dataset = build(root)
    assert len(dataset) == 3 and dataset.num_skipped == 0
    bitmaps = write_sample(root, 'sa_000002/sa_30')
    sample = dataset[2]
    assert sample['data_samples'].img_path.endswith('images/sa_000002/sa_30.jpg')
    assert sample['data_samples'].mask_path.endswith('masks/sa_000002/sa_30.json')
    assert np.array_equal(sample['data_samples'].masks, bitmaps.transpose(2, 0, 1))
    assert sample['inputs']['weak'].shape == (3, 20, 30)


def test_both_in_one_folder(tmp_path):
    write_sample(tmp_path, 'sa_1', images='sa_000001', masks='sa_000001')
    dataset = build(tmp_path, data_prefix=dict(img_path='', mask_path=''))
    assert len(dataset) == 1 and dataset[0]['data_samples'].masks.shape == (2, 20, 30)


def test_names_as_cameras_and_the_generator_have_them(root):
    for name in ('IMG_1', 'deep/IMG_2', '.hidden/IMG_3', '.IMG_4'):
        write_sample(root, name)
        (root / f'images/{name}.jpg').rename(root / f'images/{name}.JPG')
    write_sample(root, 'scan')
    cv2.imwrite(str(root / 'images/scan.tif'), cv2.imread(str(root / 'images/scan.jpg')))
    (root / 'images/scan.jpg').unlink()
    dataset = build(root, on_bad_file='stop')
    names = [path.split('images/')[1] for path in paths_of(dataset)]
    assert names == sorted(open_image_source(root / 'images').names) and len(names) == 6
    for i in range(len(dataset)):
        assert len(dataset[i]['data_samples'].masks) == 2
    (root / 'list.txt').write_text('IMG_1.JPG\n')
    assert len(build(root, ann_file='list.txt', on_bad_file='stop')) == 1
    assert len(build(root, img_suffix='.jpg')) == 5


def test_list_of_images_with_and_without_suffix(root):
    (root / 'list.txt').write_text('sa_000002/sa_30.jpg\n\nsa_000001/sa_2\n')
    dataset = build(root, ann_file='list.txt')
    assert [path.rsplit('/', 1)[1] for path in paths_of(dataset)] == ['sa_2.jpg', 'sa_30.jpg']
    dataset[0], dataset[1]


def test_images_without_mask_folder(root):
    pipeline = [dict(type='LoadUnlabeledImage'), PIPELINE[2]]
    for steps in (pipeline, PIPELINE):
        dataset = build(root, data_prefix=dict(img_path='images'), pipeline=steps)
        assert dataset[0]['data_samples'].masks.shape == (0, 20, 30)


def test_image_with_an_empty_mask_list_is_legal(tmp_path):
    write_sample(tmp_path, 'a', num_masks=0)
    dataset = build(tmp_path, on_bad_file='stop')
    assert dataset[0]['data_samples'].masks.shape == (0, 20, 30)


def damage_truncated_json(root, name):
    truncate(root / f'masks/{name}.json')


def damage_other_size(root, name):
    write_sample(root / 'other', name, size=(30, 20))
    (root / f'other/masks/{name}.json').replace(root / f'masks/{name}.json')


def damage_image(root, name):
    (root / f'images/{name}.jpg').write_bytes(b'no image')


def damage_truncated_image(root, name):
    truncate(root / f'images/{name}.jpg', 0.02)


def damage_empty_image(root, name):
    (root / f'images/{name}.jpg').write_bytes(b'')


DAMAGES = [
    (damage_truncated_json, MaskFileError, r'sa_2\.json: mask file is not valid JSON'),
    (damage_other_size, MaskFileError, r'sa_2\.json: masks are for .* 30 x 20.*has 20 x 30'),
    (damage_rle, MaskFileError, r'sa_2\.json, annotation 1: RLE'),
    (damage_image, ImageFileError, r'sa_2\.jpg: image cannot be read or decoded'),
    (damage_truncated_image, ImageFileError, r'sa_2\.jpg: image cannot be read or decoded'),
    (damage_empty_image, ImageFileError, r'sa_2\.jpg: image cannot be read or decoded'),
]


@pytest.mark.parametrize('damage, error, message', DAMAGES)
def test_bad_file_stops_and_is_named(root, damage, error, message):
    damage(root, 'sa_000001/sa_2')
    dataset = build(root, on_bad_file='stop')
    dataset[0]
    with pytest.raises(error, match=message):
        dataset[1]


@pytest.mark.parametrize('damage, error, message', DAMAGES)
def test_bad_file_is_skipped_counted_and_logged_once(root, damage, error, message, monkeypatch):
    damage(root, 'sa_000001/sa_2')
    dataset = build(root)
    lines = []
    monkeypatch.setattr(
        'mmseg_langseg.datasets.unlabeled_mask_dataset.print_log',
        lambda message, logger, level: lines.append((message, level)),
    )
    for _ in range(5):
        assert 'sa_2' not in dataset[1]['data_samples'].img_path
    assert dataset.num_skipped == 1
    assert [path.rsplit('/', 1)[1] for path in dataset.skipped_files()] == ['sa_2.jpg']
    ((line, level),) = lines
    assert level == logging.WARNING and '1 so far of 3' in line
    assert re.search(message, line)


def test_skipped_files_are_counted_over_worker_processes(root):
    damage_rle(root, 'sa_000001/sa_2')
    damage_image(root, 'sa_000001/sa_1')
    dataset = build(root)
    loader = DataLoader(dataset, batch_size=1, num_workers=2, collate_fn=pseudo_collate)
    assert all('sa_30' in batch['data_samples'][0].img_path for batch in loader)
    assert dataset.num_skipped == 2


def test_a_data_set_without_a_usable_sample_ends(tmp_path):
    write_sample(tmp_path, 'a')
    damage_image(tmp_path, 'a')
    with pytest.raises(ValueError, match=r'all 1 samples of .* are unusable.*a\.jpg'):
        build(tmp_path)[0]


def test_missing_mask_files_are_found_before_training(root):
    (root / 'masks/sa_000001/sa_2.json').unlink()
    with pytest.raises(MaskFileError, match=r'1 of 3 images have no mask file.*sa_2\.jpg'):
        build(root, on_bad_file='stop')
    dataset = build(root)
    assert len(dataset) == 2 and dataset.num_skipped == 1
    with pytest.raises(MaskFileError, match='3 of 3 images have no mask file'):
        build(root, data_prefix=dict(img_path='images', mask_path='images'))


WITH_FEATURES = dict(
    data_prefix=dict(img_path='images', feature_path='features'),
    pipeline=[dict(type='LoadUnlabeledImage'), dict(type='LoadCLIPFeatures')],
)


@pytest.fixture
def features(root):
    """Write one feature file per image, with distinct values."""
    made = {}
    for number, image in enumerate(sorted((root / 'images').rglob('*.jpg'))):
        path = root / 'features' / image.relative_to(root / 'images').with_suffix('.npy')
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.full((4, 2, 3), number, dtype=np.float16))
        made[image.stem] = path
    return made


def test_features_are_paired_with_their_images(root, features):
    dataset = build(root, **WITH_FEATURES)
    assert len(dataset) == 3
    for number, sample in enumerate(dataset):
        assert (sample['clip_features'] == number).all()
        assert sample['feature_path'] == str(features[sample['img_path'][:-4].rsplit('/')[-1]])
        assert sample['mask_path'] is None
    assert build(root)[0]['data_samples'].mask_path.endswith('.json')
    assert build(root, pipeline=[])[0]['feature_path'] is None


def test_missing_and_damaged_feature_files(root, features):
    truncate(features['sa_1'])
    with pytest.raises(FeatureFileError, match=r'sa_1\.npy: features cannot be decoded'):
        build(root, on_bad_file='stop', **WITH_FEATURES)[0]
    (root / 'masks/sa_000001/sa_1.json').unlink()
    features['sa_2'].unlink()
    with pytest.raises(FeatureFileError, match=r'1 of 3 images have no feature file.*sa_2\.jpg'):
        build(root, on_bad_file='stop', **WITH_FEATURES)
    dataset = build(root, **WITH_FEATURES)
    assert len(dataset) == 2 and dataset.num_skipped == 1
    assert dataset[0]['img_path'].endswith('sa_30.jpg') and dataset.num_skipped == 2
    # An image needs both its mask and its feature file.
    both = dict(img_path='images', mask_path='masks', feature_path='features')
    dataset = build(root, data_prefix=both)
    assert [path.rsplit('/', 1)[1] for path in paths_of(dataset)] == ['sa_30.jpg']
    assert dataset.num_skipped == 2
    with pytest.raises(FeatureFileError, match='3 of 3 images have no feature file'):
        build(root, data_prefix=dict(img_path='images', feature_path='masks'))


def test_an_error_of_a_transform_is_not_taken_for_a_bad_file(root):
    def bug(results):
        raise ValueError('a bug')

    with pytest.raises(ValueError, match='a bug'):
        build(root, pipeline=[bug])[0]


@pytest.mark.parametrize(
    'kwargs, error, message',
    [
        (dict(data_prefix=dict(img_path='gone')), FileNotFoundError, 'folder .*gone does not'),
        (
            dict(data_prefix=dict(img_path='images', mask_path='gone')),
            FileNotFoundError,
            'folder .*gone does not',
        ),
        (dict(ann_file='gone.txt'), FileNotFoundError, r'image list .*gone\.txt does not exist'),
        (dict(img_suffix='.webp'), ValueError, r'no image in .*images \(suffixes \.webp\)'),
        (dict(on_bad_file='ignore'), ValueError, "'skip' or 'stop', got 'ignore'"),
    ],
)
def test_wrong_settings_are_named(root, kwargs, error, message):
    with pytest.raises(error, match=message):
        build(root, **kwargs)


def test_indices_and_lazy_start(root):
    dataset = build(root, indices=2, lazy_init=True)
    dataset.full_init()
    assert len(dataset) == 2 and dataset.num_skipped == 0
    assert isinstance(dataset[0]['data_samples'].masks, torch.Tensor)


def wrap_runs(content):
    content['annotations'][0]['segmentation']['counts'] = [2**32 - 300, 600, 300]


def huge_run(content):
    content['annotations'][0]['segmentation']['counts'] = [10**25, 600]


def huge_side(content):
    content['image']['width'] = 10**30


@pytest.mark.parametrize(
    'damage', [wrap_runs, huge_run, huge_side, lambda content: content.clear(), None]
)
def test_hostile_masks_are_skipped_and_counted(root, damage):
    dataset = build(root)
    path = Path(dataset.get_data_info(0)['mask_path'])
    content = json.loads(path.read_text())
    if damage:
        damage(content)
    path.write_text(json.dumps(content) if damage else '[' * 100_000)
    assert dataset[0] is not None and dataset.num_skipped == 1


def test_too_many_open_files_are_no_bad_file(root):
    dataset = build(root)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[0], 256), limits[1]))
        with pytest.raises(OSError, match='Too many open files'):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(OSError, match='Too many open files'):
            dataset[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for file in held:
            os.close(file)
    assert dataset.num_skipped == 0


@pytest.mark.parametrize('line', ['../x.jpg', '/etc/x.jpg', 'a/../../x.jpg'])
def test_lists_stay_in_the_image_folder(root, line):
    (root / 'list.txt').write_text(f'{line}\n')
    with pytest.raises(ValueError, match=r"list\.txt: '.*' does not name a file inside"):
        build(root, ann_file='list.txt')
