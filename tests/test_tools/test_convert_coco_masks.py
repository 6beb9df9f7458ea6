import json
import re

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.masks.formats import read_mask_file
from tests.scripts import load_script

SIZE = (12, 20)
# A pixel's ID is R + 256 G + 256^2 B: one ID for each channel.
IDS = {'a': (7, 256 * 3, 65536 * 2 + 256 + 1), 'b': (9,)}


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/dataset_converters/coco_masks.py')


def image_list(stems):
    return [
        dict(id=i, file_name=f'{stem}.jpg', height=SIZE[0], width=SIZE[1])
        for i, stem in enumerate(stems)
    ]


def id_map(stem):
    """Return an ID map: void on top, vertical stripes of the IDs below."""
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
        colors = np.stack([pixels % 256, pixels // 256 % 256, pixels // 65536], -1)
        Image.fromarray(colors.astype(np.uint8)).save(folder / f'{stem}.png')
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
    printed = capsys.readouterr().out
    assert '3 images, 3 made, 0 kept, 4 masks, 0 could not be used' in printed


def numbers(report):
    return report.made, report.kept, len(report.unreadable)


def test_interrupted_run_resumes(tool, panoptic, tmp_path):
    out = tmp_path / 'masks'
    assert numbers(tool.convert(panoptic, out)) == (3, 0, 0)
    before = (out / 'b.json').read_bytes()
    (out / 'b.json').write_bytes(before[:30])
    (out / 'a.json').unlink()
    assert numbers(tool.convert(panoptic, out)) == (2, 1, 0)
    assert (out / 'b.json').read_bytes() == before


def test_files_of_another_origin_stay(tool, panoptic, tmp_path):
    out = tmp_path / 'masks'
    tool.convert(panoptic, out)
    for content in ('notes', '{"mine": 1}', '[]'):
        (out / 'a.json').write_text(content)
        with pytest.raises(ValueError, match=r"a\.json' exists and was not made by this tool"):
            tool.convert(panoptic, out)
        assert (out / 'a.json').read_text() == content
    with pytest.raises(ValueError, match='were made with other settings'):
        tool.convert(instances(tmp_path, [[1, 1, 9, 1, 9, 9]]), out)


def test_the_annotation_file_is_never_overwritten(tool, tmp_path):
    path = instances(tmp_path, [[1, 1, 9, 1, 9, 9]])
    content = json.loads(path.read_text())
    content['images'][1]['file_name'] = 'instances.jpg'
    path.write_text(json.dumps(content))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"instances\.json' would be overwritten"):
        tool.convert(path, tmp_path)
    assert path.read_bytes() == before


def test_instances_of_all_three_kinds(tool, tmp_path):
    box = np.zeros(SIZE, bool)
    box[3:9, 2:6] = True
    rle = coco_mask.encode(np.asfortranarray(box, np.uint8))
    rle['counts'] = rle['counts'].decode()
    runs = dict(size=list(SIZE), counts=[10, 5, SIZE[0] * SIZE[1] - 15])
    # Two polygons of one object form one mask.
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


def other_mode(path):
    Image.new('L', SIZE[::-1], 7).save(path.with_suffix('') / 'b.png')


def cut_png(path):
    png = path.with_suffix('') / 'b.png'
    png.write_bytes(png.read_bytes()[:60])


def edit(change):
    def damage(path):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


def edit_annotation(**values):
    return edit(lambda content: content['annotations'][1].update(values))


@pytest.mark.parametrize(
    'damage, reason',
    [
        (lambda path: (path.with_suffix('') / 'b.png').unlink(), r"no file '.*b\.png'; --png-dir"),
        (break_png, r'b\.png.*height x width \[5, 5\], its image \[12, 20\]'),
        (strange_segment, r'b\.png.* segment 200, which annotations\[1\] does not list'),
        (other_mode, r"b\.png.*expected a color PNG, got Pillow's mode 'L'"),
        (cut_png, r'b\.png.*(truncated|cannot be decoded)'),
        (edit_annotation(file_name='../b.png'), r"annotations\[1\].*'\.\./b\.png' does not name"),
        (edit_annotation(segments_info=3), r"'segments_info' is 3, expected a list"),
        (edit_annotation(segments_info=[{}]), r"lacks 'id'"),
        (
            edit(lambda c: c['annotations'].append(c['annotations'][1])),
            r'annotations\[1\] and annotations\[2\] both belong to this image',
        ),
    ],
)
def test_a_bad_panoptic_annotation_costs_its_image_only(tool, panoptic, tmp_path, damage, reason):
    damage(panoptic)
    report = tool.convert(panoptic, tmp_path / 'masks', progress=False)
    ((name, found),) = report.unreadable
    assert name == 'b.jpg' and re.search(reason, found)
    assert {path.name for path in (tmp_path / 'masks').glob('*.json')} == {'a.json', 'empty.json'}


@pytest.mark.parametrize(
    'damage, message',
    [
        (lambda path: path.unlink(), "No such file .*panoptic_train2017.json'"),
        (lambda path: path.write_text('{"images": ['), 'not valid JSON, perhaps truncated'),
        (lambda path: path.write_text('[' * 100_000), 'nested too deeply'),
        (lambda path: path.write_text('[1]'), 'lacks images or annotations'),
        (lambda path: path.write_text('{"images": []}'), 'lacks images or annotations'),
        (edit(lambda c: c.update(annotations=[3])), 'has annotations with 3: expected'),
        (edit(lambda c: c.update(images=[{}])), r"no image that can be used: .*lacks 'id'"),
    ],
)
def test_files_that_are_no_annotations_are_named(tool, panoptic, tmp_path, damage, message):
    damage(panoptic)
    with pytest.raises((OSError, ValueError), match=message) as caught:
        tool.convert(panoptic, tmp_path / 'masks')
    assert 'panoptic_train2017.json' in str(caught.value)


def test_a_byte_order_mark_is_accepted(tool, panoptic, tmp_path):
    panoptic.write_bytes(b'\xef\xbb\xbf' + panoptic.read_bytes())
    assert numbers(tool.convert(panoptic, tmp_path / 'masks')) == (3, 0, 0)


@pytest.mark.parametrize(
    'values, reason',
    [
        (dict(id='1'), "'id' is '1', expected an integer"),
        (dict(id=True), "'id' is True, expected an integer"),
        (dict(id=0), 'another image has the id 0'),
        (dict(file_name=3), "'file_name' is 3, expected a string"),
        (dict(file_name='a.jpg'), r"images\[0\] also has the name 'a\.jpg'"),
        (dict(file_name='../../x.jpg'), r"'\.\./\.\./x\.jpg' does not name a file inside"),
        (dict(file_name='/tmp/x.jpg'), r"'/tmp/x\.jpg' does not name a file inside"),
        (dict(file_name='\ud800.jpg'), 'surrogates not allowed'),
        (dict(height=12.0), "'height' is 12.0, expected an integer"),
        (dict(height=0), 'height x width is 0 x 20, expected positive integers'),
        (dict(width=10**30), 'expected at most 178956970 pixels'),
    ],
)
def test_a_bad_image_is_listed_and_costs_nothing_else(tool, panoptic, tmp_path, values, reason):
    edit(lambda content: content['images'][2].update(values))(panoptic)
    report = tool.convert(panoptic, tmp_path / 'masks', progress=False)
    bad = dict(report.unreadable)
    assert report.made == 2 and re.search(reason, bad['images[2]'])
    assert not (tmp_path.parent / 'x.json').exists()


@pytest.mark.parametrize(
    'annotation, reason',
    [
        (3, 'is 3, expected an object'),
        (dict(id=4), "lacks 'image_id', it has ['id']"),
        (dict(image_id='0'), "'image_id' is '0', expected an integer"),
        (dict(image_id=9), "'image_id' is 9, but no image has this id"),
    ],
)
def test_an_annotation_without_an_image_is_listed(tool, panoptic, tmp_path, annotation, reason):
    edit(lambda content: content['annotations'].append(annotation))(panoptic)
    report = tool.convert(panoptic, tmp_path / 'masks', progress=False)
    assert report.made == 3 and [entry[1] for entry in report.unreadable] == [reason]


def test_names_that_are_too_long_are_listed(tool, panoptic, tmp_path):
    edit(lambda content: content['images'][2].update(file_name='n' * 300 + '.jpg'))(panoptic)
    report = tool.convert(panoptic, tmp_path / 'masks', progress=False)
    assert report.made == 2 and 'too long' in report.unreadable[0][1]


def test_names_of_thousands_of_letters_are_not_shown_whole(tool, panoptic, tmp_path):
    def lengthen(content):
        for index, image in enumerate(content['images']):
            image['file_name'] = 'n' * 9999 + f'{index}.jpg'

    edit(lengthen)(panoptic)
    with pytest.raises(ValueError, match='holds no image that can be used') as error:
        tool.convert(panoptic, tmp_path / 'masks', progress=False)
    assert len(str(error.value)) < 2500


def test_missing_png_folder_names_the_option(tool, panoptic, tmp_path):
    folder = panoptic.with_suffix('')
    folder.rename(tmp_path / 'moved')
    with pytest.raises(FileNotFoundError, match='--png-dir'):
        tool.main([str(panoptic), str(tmp_path / 'masks')])
    tool.main([str(panoptic), str(tmp_path / 'masks'), '--png-dir', str(tmp_path / 'moved')])


@pytest.mark.parametrize(
    'segmentation, message',
    [
        ([[1, 1, 5, 5]], 'a polygon needs at least three points'),
        ([], 'expected a list of polygons'),
        ('many', "expected a list of polygons, got 'many'"),
        (None, 'expected a list of polygons, got None'),
        ([[1, 1, '5', 5, 9, 9]], 'a polygon must contain numbers only'),
        ([[0, 0, 1e9, 0, 1e9, 1e9]], 'the coordinate 1000000000.0, far outside'),
        ([[0, 0, float('nan'), 5, 9, 9]], 'the coordinate nan, far outside'),
        (dict(size=[3, 3], counts=[9]), r'mask has height x width \[3, 3\]'),
        (dict(size=list(SIZE), counts=[5, 5]), 'RLE runs sum to 10 pixels'),
        (dict(size=list(SIZE), counts=[10**25, 5]), 'RLE has a run of 10{25} pixels'),
        (dict(counts='1'), "'size' is missing"),
    ],
)
def test_a_bad_segmentation_costs_its_image_only(tool, tmp_path, segmentation, message):
    path = instances(tmp_path, [[1, 1, 9, 1, 9, 9]], segmentation)
    report = tool.convert(path, tmp_path / 'masks', progress=False)
    ((name, reason),) = report.unreadable
    assert name == 'a.jpg' and reason.startswith('annotations[1] with the id 51: ')
    assert re.search(message, reason)
    assert [path.name for path in (tmp_path / 'masks').glob('*.json')] == ['empty.json']


def test_other_annotations_are_refused(tool, tmp_path):
    path = tmp_path / 'captions.json'
    content = dict(images=image_list(['a']), annotations=[dict(image_id=0, caption='a cat')])
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="'caption'"):
        tool.main([str(path), str(tmp_path / 'masks')])
