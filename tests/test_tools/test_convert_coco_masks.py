import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.masks import read_mask_file

ROOT = Path(__file__).resolve().parents[2]
SIZE = (12, 20)
# A pixel's id is R + 256 G + 256^2 B: one id for each channel.
IDS = {'a': (7, 256 * 3, 65536 * 2 + 256 + 1), 'b': (9,)}


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'convert_coco_masks.py'
    spec = importlib.util.spec_from_file_location('convert_coco_masks', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def image_list(stems):
    return [
        dict(id=i, file_name=f'{stem}.jpg', height=SIZE[0], width=SIZE[1])
        for i, stem in enumerate(stems)
    ]


def id_map(stem):
    """Void on top, then vertical stripes of the ids."""
    pixels = np.zeros(SIZE, np.int64)
    for i, value in enumerate(IDS[stem]):
        pixels[2:, i * 5 : i * 5 + 4] = value
    return pixels


@pytest.fixture
def panoptic(tmp_path):
    folder = tmp_path / 'panoptic_train2017'
    folder.mkdir()
    annotations = []
    for i, stem in enumerate(IDS):
        pixels = id_map(stem)
        colours = np.stack([pixels % 256, pixels // 256 % 256, pixels // 65536], -1)
        Image.fromarray(colours.astype(np.uint8)).save(folder / f'{stem}.png')
        segments = [dict(id=value, category_id=90, iscrowd=0) for value in IDS[stem]]
        annotations.append(dict(image_id=i, file_name=f'{stem}.png', segments_info=segments))
    path = tmp_path / 'panoptic_train2017.json'
    content = dict(images=image_list([*IDS, 'empty']), annotations=annotations, categories=[])
    path.write_text(json.dumps(content))
    return path


def instances(tmp_path, *segmentations):
    content = dict(
        images=image_list(['a', 'empty']),
        annotations=[
            dict(id=50 + i, image_id=0, category_id=3, segmentation=segmentation)
            for i, segmentation in enumerate(segmentations)
        ],
    )
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(content))
    return path


def decode(path):
    return np.stack([coco_mask.decode(rle) for rle in read_mask_file(path, SIZE)]).astype(bool)


def test_panoptic_segments_become_masks_without_labels(tool, panoptic, tmp_path, capsys):
    out = tmp_path / 'masks' / 'train2017'
    tool.main([str(panoptic), str(out)])
    for stem, ids in IDS.items():
        expected = np.stack([id_map(stem) == value for value in sorted(ids)])
        np.testing.assert_array_equal(decode(out / f'{stem}.json'), expected)
        assert 'category' not in (out / f'{stem}.json').read_text()
    assert read_mask_file(out / 'empty.json', SIZE) == []
    assert json.loads((out / 'a.json').read_text())['image']['file_name'] == 'a.jpg'
    assert '3 files with 4 masks written, 0 existed' in capsys.readouterr().out


def test_broken_off_run_goes_on(tool, panoptic, tmp_path):
    out = tmp_path / 'masks'
    assert tool.convert(panoptic, out) == (3, 0, 4)
    (out / 'b.json').unlink()
    (out / 'a.json').write_text('kept')
    assert tool.convert(panoptic, out) == (1, 2, 1)
    assert (out / 'a.json').read_text() == 'kept'
    assert tool.convert(panoptic, out, overwrite=True) == (3, 0, 4)
    assert len(read_mask_file(out / 'a.json', SIZE)) == 3


def test_instances_of_all_three_kinds(tool, tmp_path):
    box = np.zeros(SIZE, bool)
    box[3:9, 2:6] = True
    rle = coco_mask.encode(np.asfortranarray(box, np.uint8))
    rle['counts'] = rle['counts'].decode()
    runs = dict(size=list(SIZE), counts=[10, 5, SIZE[0] * SIZE[1] - 15])
    # Two polygons of one object are one mask.
    polygons = [[2, 3, 6, 3, 6, 9, 2, 9], [10, 3, 14, 3, 14, 9, 10, 9]]
    out = tmp_path / 'masks'
    tool.convert(instances(tmp_path, polygons, rle, runs), out)
    masks = decode(out / 'a.json')
    both = box.copy()
    both[3:9, 10:14] = True
    flat = np.zeros(SIZE[0] * SIZE[1], bool)
    flat[10:15] = True
    expected = np.stack([both, box, flat.reshape(SIZE, order='F')])
    np.testing.assert_array_equal(masks, expected)
    assert read_mask_file(out / 'empty.json', SIZE) == []


def test_written_masks_are_found_by_the_dataset(tool, panoptic, tmp_path):
    from mmseg.registry import DATASETS

    tool.convert(panoptic, tmp_path / 'masks')
    (tmp_path / 'images').mkdir()
    for stem in (*IDS, 'empty'):
        Image.new('RGB', SIZE[::-1]).save(tmp_path / 'images' / f'{stem}.jpg')
    pipeline = [dict(type='LoadUnlabeledImage'), dict(type='LoadUnlabeledMasks')]
    dataset = DATASETS.build(
        dict(
            type='UnlabeledMaskDataset',
            data_root=str(tmp_path),
            on_bad_file='stop',
            pipeline=pipeline,
        )
    )
    assert [len(dataset[i]['mask_rles']) for i in range(3)] == [3, 1, 0]


def break_png(path):
    Image.new('RGB', (5, 5)).save(path.with_suffix('') / 'b.png')


def strange_segment(path):
    Image.new('RGB', SIZE[::-1], (200, 0, 0)).save(path.with_suffix('') / 'b.png')


@pytest.mark.parametrize(
    'damage, message',
    [
        (lambda path: path.unlink(), "no file '.*panoptic_train2017.json'"),
        (lambda path: path.write_text('{"images": ['), 'not valid JSON, perhaps truncated'),
        (lambda path: path.write_text('{"images": []}'), 'lacks images or annotations'),
        (lambda path: (path.with_suffix('') / 'b.png').unlink(), r"no file '.*b\.png'"),
        (break_png, r'image b\.jpg: .*height x width \[5, 5\], its image \[12, 20\]'),
        (strange_segment, r'image b\.jpg: .*segment 200, which'),
    ],
)
def test_bad_panoptic_input_is_named(tool, panoptic, tmp_path, damage, message):
    damage(panoptic)
    with pytest.raises(SystemExit, match=message):
        tool.main([str(panoptic), str(tmp_path / 'masks')])


def test_missing_png_folder_names_the_option(tool, panoptic, tmp_path):
    folder = panoptic.with_suffix('')
    folder.rename(tmp_path / 'moved')
    with pytest.raises(SystemExit, match='--png-dir'):
        tool.main([str(panoptic), str(tmp_path / 'masks')])
    tool.main([str(panoptic), str(tmp_path / 'masks'), '--png-dir', str(tmp_path / 'moved')])


@pytest.mark.parametrize(
    'segmentation, message',
    [
        ([[1, 1, 5, 5]], 'annotation 50: a polygon needs at least three points'),
        ([], 'annotation 50: a polygon'),
        ('many', "annotation 50: expected polygons or an RLE, got 'many'"),
        (dict(size=[3, 3], counts=[9]), r'mask 0 has size \[3, 3\]'),
        (dict(size=list(SIZE), counts=[5, 5]), 'RLE runs sum to 10 pixels'),
    ],
)
def test_bad_instances_name_image_and_annotation(tool, tmp_path, segmentation, message):
    path = instances(tmp_path, segmentation)
    with pytest.raises(SystemExit, match=rf'image a\.jpg: {message}'):
        tool.main([str(path), str(tmp_path / 'masks')])
    assert not list((tmp_path / 'masks').glob('*'))


def test_other_annotations_are_refused(tool, tmp_path):
    path = tmp_path / 'captions.json'
    content = dict(images=image_list(['a']), annotations=[dict(image_id=0, caption='a cat')])
    path.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match="'caption'"):
        tool.main([str(path), str(tmp_path / 'masks')])
