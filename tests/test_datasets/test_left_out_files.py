"""Labeled folders: no label map is silently left out, and no line of a list leads out."""

import pytest
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_langseg.datasets import check_labels
from tests.test_datasets.test_label_check import SIZE, build, write_folder
from tests.test_datasets.test_toolbox_labels import PIPELINE
from tests.test_datasets.test_toolbox_labels import build as build_toolbox


def test_images_of_other_suffixes_are_named(tmp_path):
    root = write_folder(tmp_path)
    for name in ('b.txt', 'notes.txt'):
        (root / 'images' / name).write_text('of no label map, or of one whose image is read')
    assert len(build(root)) == 2
    (root / 'images/a.jpg').rename(root / 'images/a.gif')
    with pytest.raises(ValueError, match=r'images: 1 file \(a\.gif\): not read, .* \.jpg, \.jpeg'):
        build(root)
    (root / 'val.txt').write_text('b')
    assert len(build(root, ann_file='val.txt')) == 1
    (root / 'labels/a.png').unlink()
    assert len(build(root)) == 1


def test_label_maps_without_images_are_named(tmp_path):
    root = write_folder(tmp_path)
    (root / 'images/a.jpg').rename(root / 'images/a.heic')
    (root / 'labels/.a').mkdir()
    for name in ('x/zz.png', 'z.png', '.a/hidden.png', '.hidden.png', 'z.json'):
        (root / 'labels' / name).parent.mkdir(exist_ok=True)
        Image.new('L', SIZE).save(root / 'labels' / name, 'PNG')
    with pytest.raises(ValueError) as error:
        build(root)
    first, second = str(error.value).splitlines()
    assert f'{root}/images: 1 file (a.heic)' in first
    assert f'{root}/labels: 2 files (x/zz.png, z.png): label map without an image' in second


@pytest.mark.parametrize('images', ['.', 'labels/images', 'images'])
def test_images_among_the_label_maps_are_no_label_maps(tmp_path, images):
    labels = 'labels' if images != 'images' else '.'
    for folder in (images, labels):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    Image.new('RGB', SIZE[::-1]).save(tmp_path / images / 'a.png')
    Image.new('L', SIZE[::-1]).save(tmp_path / labels / 'a.png')
    prefix = dict(img_path=images, seg_map_path=labels)
    dataset = build(tmp_path, classes=['sky'], data_prefix=prefix)
    check_labels(dataset)
    assert len(dataset) == 1


@pytest.mark.parametrize(
    'names, message',
    [
        ('sky\nroad\nSKY\n', r"classes\.txt, line 3: 'SKY' is a duplicate of number 1"),
        ('sky\nroad, Sky\n', r"classes\.txt, line 2: 'Sky' is a duplicate of number 1"),
        (
            'sky; x\nroad\n',
            r"classes\.txt, line 1: 'sky; x' contains a semicolon; expected one class",
        ),
        ('sky\n\nroad\n', r'classes\.txt, line 2: the class has an empty name'),
    ],
)
def test_wrong_lines_of_a_class_file_are_named(tmp_path, names, message):
    with pytest.raises(ValueError, match=message):
        build(write_folder(tmp_path, names=names))


def test_a_mapping_typed_as_one_value_says_how(tmp_path):
    with pytest.raises(ValueError, match=r'each value is a key: label_mapping\.7=0'):
        build(write_folder(tmp_path), label_mapping='{7: 255}')


KINDS = [
    dict(),
    dict(type='PascalVOC20Dataset'),
    dict(type='PascalVOCDataset'),
    dict(type='PascalContextDataset59'),
    dict(type='PascalContextDataset'),
    dict(type='PascalContext459Dataset'),
]


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.get('type', 'BaseSegDataset'))
def test_a_list_stays_in_its_folder(tmp_path, kind):
    write_folder(tmp_path / 'outside')
    root = write_folder(tmp_path / 'root')
    kind = dict(metainfo=None, **kind) if kind else {}
    # No labels are read: the lines of a training's list are checked as well.
    settings = dict(kind, ann_file='val.txt', pipeline=PIPELINE[:1])
    for line in ('../../outside/images/a', f'{tmp_path}/outside/images/a', '../images/a'):
        (root / 'val.txt').write_text(f'a\n{line}\n')
        with pytest.raises(ValueError, match=r'val\.txt: .* does not name a file inside .*images'):
            check_labels(build_toolbox(root, **settings))
    (root / 'images/link').symlink_to(tmp_path / 'outside/images')
    (root / 'val.txt').write_text('a\nlink/a\n')
    check_labels(build_toolbox(root, **settings))


def test_lists_in_wrappers_are_checked_and_whole_paths_without_a_folder_are_not(tmp_path):
    root = write_folder(tmp_path / 'root')
    (root / 'val.txt').write_text(f'{root}/images/a\n')
    part = dict(type='BaseSegDataset', ann_file=str(root / 'val.txt'))
    check_labels(DATASETS.build(part))
    part.update(data_prefix=dict(img_path=str(root / 'labels')))
    with pytest.raises(ValueError, match='does not name a file inside'):
        check_labels(DATASETS.build(dict(type='RepeatDataset', times=2, dataset=part)))
