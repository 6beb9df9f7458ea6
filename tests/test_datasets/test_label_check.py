"""Label check: all files of a labeled dataset are checked once before testing."""

import re

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_langseg.datasets import LabelFileError, check_labels, label_check
from mmseg_langseg.datasets.image_files import image_size
from mmseg_langseg.fileio import ImageFileError, decode_image

TEST = [dict(type='LoadImageFromFile'), dict(type='LoadLabelMap'), dict(type='PackSegInputs')]
SIZE = (12, 16)


def write_folder(root, suffixes=('.jpg', '.jpg'), label=None, names='sky\ngrass\n'):
    """Write two images, a and b; ``label`` makes the label file of a."""
    (root / 'images').mkdir(parents=True)
    (root / 'labels').mkdir()
    (root / 'classes.txt').write_text(names)
    for seed, (stem, suffix) in enumerate(zip('ab', suffixes, strict=True)):
        noise = np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / 'images' / f'{stem}{suffix}')
        plain = np.zeros(SIZE, np.uint8)
        plain[6:], plain[:2] = 1, 255
        made = label(plain) if label and stem == 'a' else plain
        Image.fromarray(made).save(root / 'labels' / f'{stem}.png')
    return root


def build(root, **changes):
    base = dict(type='FolderSegDataset', classes='classes.txt', data_root=str(root), pipeline=TEST)
    return DATASETS.build({**base, 'test_mode': True, **changes})


def beyond(plain):
    return np.where(plain == 0, 7, plain).astype(np.uint8)


def deep(plain):
    return np.where(plain == 255, np.uint16(65535), plain)


def loaded(dataset, index=0):
    return dataset[index]['data_samples'].gt_sem_seg.data[0].numpy()


def test_a_good_folder_passes(tmp_path):
    dataset = build(write_folder(tmp_path))
    check_labels(dataset)
    assert loaded(dataset)[[0, 3, 7], 0].tolist() == [255, 0, 1]


BAD_LABELS = pytest.mark.parametrize(
    'label, message',
    [
        (beyond, r'label value 7 \(64 pixels\) is neither a class nor ignored; expected 0 to 1'),
        (lambda plain: np.stack([plain] * 3, -1), r'mode RGB \(3 channels\); expected one channel'),
        (lambda plain: plain[:10], 'height x width 10 x 16, its image 12 x 16'),
        (lambda plain: deep(plain) + np.uint16(plain == 0) * 256, r'label value 256 \(64 pixels\)'),
    ],
    ids=['beyond_classes', 'rgb', 'other_size', '16_bit'],
)


@BAD_LABELS
def test_a_bad_label_map_is_named_with_what_to_do(tmp_path, label, message):
    dataset = build(write_folder(tmp_path, label=label))
    with pytest.raises(LabelFileError, match=rf'labels/a\.png: .*{message}'):
        check_labels(dataset)
    # Without the check, the loader raises the same error.
    with pytest.raises(LabelFileError, match=rf'labels/a\.png: .*{message}'):
        dataset[0]
    loaded(dataset, 1)


def test_65535_is_ignored(tmp_path):
    dataset = build(write_folder(tmp_path, label=deep))
    check_labels(dataset)
    np.testing.assert_array_equal(loaded(dataset), loaded(dataset, 1))


def test_ignored_value_and_mapping_are_config_keys(tmp_path):
    root = write_folder(tmp_path, label=beyond)
    for changes, expected in (
        (dict(ignore_index=7), [255, 255, 1]),
        (dict(label_mapping={7: 255}), [255, 255, 1]),
        (dict(label_mapping={'7': 0}), [255, 0, 1]),
        (dict(label_mapping={7: 0, 0: 1, 1: 0}), [255, 0, 0]),
        (dict(ignore_index=7, label_mapping={'1': 7, '255': 1}), [1, 255, 255]),
    ):
        cfg = Config(dict(dataset=changes))
        dataset = build(root, **cfg.dataset)
        check_labels(dataset)
        assert loaded(dataset)[[0, 3, 7], 0].tolist() == expected, changes
    cfg = Config(dict(dataset=dict()))
    cfg.merge_from_dict({'dataset.label_mapping.7': 255})
    check_labels(build(root, **cfg.dataset))


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(ignore_index=-1), 'ignore_index: expected an integer from 0 to 65535, got -1'),
        (dict(ignore_index=True), 'ignore_index: expected an integer'),
        (dict(label_mapping={'x': 0}), "value of the label maps: expected an integer .* 'x'"),
        (dict(label_mapping={7: 2}), 'maps 7 to 2; expected a class from 0 to 1, or 255'),
        (dict(label_mapping={7: 1.5}), 'label_mapping of 7: expected an integer .* got 1.5'),
        (dict(label_mapping={7: 0, '7': 1}), 'maps 7 twice'),
        (dict(ignore_index=7, reduce_zero_label=True), 'give label_mapping alone'),
    ],
)
def test_wrong_mappings_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        build(write_folder(tmp_path), **changes)


@pytest.mark.parametrize(
    'suffixes', [('.png', '.png'), ('.JPG', '.jpg'), ('.webp', '.TIFF'), ('.jpeg', '.bmp')]
)
def test_images_of_any_suffix_are_read(tmp_path, suffixes):
    dataset = build(write_folder(tmp_path, suffixes))
    check_labels(dataset)
    found = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    assert found == [str(tmp_path / f'images/{s}{e}') for s, e in zip('ab', suffixes, strict=True)]
    assert loaded(dataset).shape == SIZE


def test_two_images_of_one_name_are_an_error(tmp_path):
    write_folder(tmp_path)
    Image.new('RGB', SIZE[::-1]).save(tmp_path / 'images/a.PNG')
    with pytest.raises(ValueError, match=r'images: a\.PNG and a\.jpg have the same name'):
        build(tmp_path)
    assert len(build(tmp_path, img_suffix='.jpg')) == 2


@pytest.mark.parametrize('labels', ['.', 'labels'])
def test_label_maps_beside_or_below_the_images_are_no_images(tmp_path, labels):
    (tmp_path / labels).mkdir(exist_ok=True)
    (tmp_path / 'classes.txt').write_text('sky\n')
    Image.new('RGB', SIZE[::-1]).save(tmp_path / 'a.jpg')
    Image.new('L', SIZE[::-1]).save(tmp_path / labels / 'a.png')
    dataset = build(tmp_path, data_prefix=dict(img_path='.', seg_map_path=labels))
    check_labels(dataset)
    assert len(dataset) == 1 and dataset.get_data_info(0)['img_path'].endswith('a.jpg')


def test_a_list_chooses_images(tmp_path):
    write_folder(tmp_path, ('.PNG', '.jpg'))
    for lines, found in (('a\n\n', ['a.PNG']), ('\ufeffb.jpg\na\n', ['a.PNG', 'b.jpg'])):
        (tmp_path / 'val.txt').write_text(lines, encoding='utf-8')
        dataset = build(tmp_path, ann_file='val.txt')
        names = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
        assert names == [str(tmp_path / 'images' / name) for name in found]
    for line, error, message in (
        ('c', FileNotFoundError, r"val\.txt lists 'c', but .*images has no such image"),
        ('../images/a', ValueError, 'does not name a file inside'),
    ):
        (tmp_path / 'val.txt').write_text(line)
        with pytest.raises(error, match=message):
            build(tmp_path, ann_file='val.txt')
    with pytest.raises(FileNotFoundError, match=r'gone\.txt does not exist'):
        build(tmp_path, ann_file='gone.txt')


def test_more_classes_than_a_byte_holds(tmp_path):
    names = '\n'.join(f'class {i}' for i in range(300))

    def many(plain):
        return np.where(plain == 255, 255, deep(plain) + np.uint16(298) * (plain == 1))

    root = write_folder(tmp_path, label=many, names=names)
    Image.fromarray(np.full(SIZE, 65535, np.uint16)).save(root / 'labels/b.png')
    with pytest.raises(ValueError, match='300 classes need ignore_index=65535'):
        check_labels(build(root))
    wide = [TEST[0], dict(type='LoadLabelMap', ignore_index=65535), TEST[2]]
    dataset = build(root, pipeline=wide, label_mapping={0: 65535})
    check_labels(dataset)
    assert loaded(dataset)[[0, 3, 7], 0].tolist() == [255, 65535, 299]
    assert set(loaded(dataset, 1).ravel()) == {65535}


def test_all_bad_files_are_counted(tmp_path):
    write_folder(tmp_path, label=beyond)
    (tmp_path / 'labels/b.png').unlink()
    with pytest.raises(LabelFileError) as error:
        check_labels(build(tmp_path))
    lines = str(error.value).splitlines()
    assert lines[0] == '2 of 2 images cannot be used:' and len(lines) == 3
    assert 'a.png: label value 7' in lines[1]
    assert lines[2].endswith('labels/b.png: this label map does not exist')


def test_processes_share_the_files(tmp_path):
    dataset = build(write_folder(tmp_path, label=beyond))
    check_labels(dataset, rank=1, world_size=2)
    with pytest.raises(LabelFileError, match=r'a\.png'):
        check_labels(dataset, rank=0, world_size=2)


def test_files_are_read_once_until_they_change(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(label_check, 'image_size', lambda path, _: read.append(path) or SIZE)
    dataset = build(write_folder(tmp_path))
    for _ in range(3):
        check_labels(dataset)
    assert len(read) == 2
    Image.fromarray(np.full(SIZE, 9, np.uint8)).save(tmp_path / 'labels/b.png')
    with pytest.raises(LabelFileError, match=r'b\.png: label value 9'):
        check_labels(dataset)


def test_datasets_in_wrappers_and_labels_in_tta_are_found(tmp_path):
    tta = dict(type='TestTimeAug', transforms=[[TEST[1]], [TEST[2]]])
    inner = dict(type='FolderSegDataset', classes='classes.txt', data_root=str(tmp_path))
    write_folder(tmp_path, label=beyond)
    toolbox = [TEST[0], dict(type='LoadAnnotations')]
    for pipeline in (TEST, [TEST[0], tta], toolbox):
        part = dict(inner, pipeline=pipeline)
        wrapped = DATASETS.build(dict(type='ConcatDataset', datasets=[part, part]))
        repeated = DATASETS.build(dict(type='RepeatDataset', times=2, dataset=part))
        for dataset in (wrapped, repeated):
            with pytest.raises(LabelFileError, match=r'a\.png: label value 7'):
                check_labels(dataset)


def test_nothing_labeled_at_all_is_an_error(tmp_path):
    def nothing(plain):
        return np.where(plain == 0, 7, 255).astype(np.uint8)

    root = write_folder(tmp_path, label=nothing)
    dataset = build(root, ignore_index=7)
    check_labels(dataset)
    Image.fromarray(np.full(SIZE, 255, np.uint8)).save(root / 'labels/b.png')
    message = r'no labeled pixel in 2 label maps, the first: .*a\.png; they hold 7, 255, and all'
    for rank, world_size in ((0, 1), (1, 2)):
        with pytest.raises(LabelFileError, match=message):
            check_labels(dataset, rank, world_size)
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(root / 'labels/b.png')
    # The files of this process alone would hold nothing.
    check_labels(dataset, rank=0, world_size=2)


def test_a_dataset_without_label_folder_says_so(tmp_path):
    dataset = build(write_folder(tmp_path), data_prefix=dict(img_path='images'))
    with pytest.raises(ValueError, match=r'no label maps; expected a folder in data_prefix\.seg_'):
        check_labels(dataset)


@pytest.mark.parametrize('orientation', [None, 3, 6])
@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif', '.webp'])
def test_size_of_an_image_is_what_the_pipeline_loads(tmp_path, suffix, orientation):
    path = tmp_path / f'a{suffix}'
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new('RGB', (16, 12)).save(path, exif=exif)
    assert image_size(str(path)) == decode_image(path.read_bytes()).shape[:2]


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.bmp', '.tif', '.webp'])
def test_cut_images_are_found_before_the_test(tmp_path, suffix):
    root = write_folder(tmp_path, (suffix, suffix))
    dataset = build(root)
    path = root / 'images' / f'a{suffix}'
    content = path.read_bytes()
    for kept in (0, 1, 10, len(content) // 2, len(content) - 20):
        path.write_bytes(content[:kept])
        with pytest.raises(LabelFileError, match=re.escape(f'{path}: ')):
            check_labels(dataset)
    path.unlink()
    with pytest.raises(ImageFileError, match='this image does not exist'):
        image_size(str(path))


def test_image_bombs_are_one_bad_file(tmp_path):
    path = tmp_path / 'a.png'
    Image.new('1', (20_000, 20_000)).save(path)
    with pytest.raises(ImageFileError, match=rf'{path}: image cannot be read .*400000000 pixels'):
        image_size(str(path))
