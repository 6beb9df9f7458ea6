import errno
import json
import os

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import MaskFileError
from mmseg_langseg.masks.formats import read_mask_file, write_mask_file

SIZE = (6, 8)


def encode(mask):
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(size=rle['size'], counts=rle['counts'].decode('ascii'))


@pytest.fixture
def masks():
    masks = np.zeros((3, *SIZE), dtype=bool)
    masks[0, 1:4, 2:7] = True
    masks[1, 5, :] = True
    return masks


@pytest.fixture
def mask_file(tmp_path, masks):
    path = tmp_path / 'a' / 'sa_7.json'
    write_mask_file(path, [encode(mask) for mask in masks], SIZE, 'sa_7.jpg', image_id=7)
    return path


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_round_trip(mask_file, masks):
    rles = read_mask_file(mask_file, SIZE)
    assert np.array_equal([coco_mask.decode(rle) for rle in rles], masks)
    content = json.loads(mask_file.read_text())
    assert content['image'] == dict(image_id=7, width=8, height=6, file_name='sa_7.jpg')
    assert content['annotations'][0]['bbox'] == [2, 1, 5, 3]
    assert [ann['area'] for ann in content['annotations']] == [15, 8, 0]
    assert os.listdir(mask_file.parent) == ['sa_7.json']


def test_writing_is_complete_or_not_at_all(mask_file, monkeypatch):
    before = mask_file.read_text()
    full = OSError(errno.ENOSPC, 'disk full')
    monkeypatch.setattr(os, 'replace', lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(OSError, match=r"disk full: '.*sa_7\.json'"):
        write_mask_file(mask_file, [], SIZE, 'x.jpg')
    assert mask_file.read_text() == before
    assert os.listdir(mask_file.parent) == ['sa_7.json']


def test_writing_refuses_another_size(tmp_path, masks):
    with pytest.raises(ValueError, match='mask 0 has size'):
        write_mask_file(tmp_path / 'x.json', [encode(masks[0])], (8, 6), 'x.jpg')


def test_an_image_without_masks_is_legal(tmp_path):
    write_mask_file(tmp_path / 'x.json', [], SIZE, 'x.jpg')
    assert read_mask_file(tmp_path / 'x.json', SIZE) == []


def test_uncompressed_counts_are_accepted(mask_file, masks):
    def edit(content):
        content['annotations'][1]['segmentation']['counts'] = [5, 1] * 8

    change(mask_file, edit)
    rles = read_mask_file(mask_file)
    assert isinstance(rles[1]['counts'], str)
    assert np.array_equal([coco_mask.decode(rle) for rle in rles], masks)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MaskFileError, match=r'gone\.json: mask file cannot be read'):
        read_mask_file(tmp_path / 'gone.json')


@pytest.mark.parametrize('share', [0.0, 0.3, 0.99])
def test_truncated_file_is_named(mask_file, share):
    text = mask_file.read_text()
    mask_file.write_text(text[: int(share * len(text))])
    with pytest.raises(MaskFileError, match=r'sa_7\.json: mask file is not valid JSON'):
        read_mask_file(mask_file)


def test_binary_file_is_named(mask_file):
    mask_file.write_bytes(b'\xff\xd8\xff\xe0' * 50)
    with pytest.raises(MaskFileError, match=r'sa_7\.json: mask file is not valid JSON'):
        read_mask_file(mask_file)


@pytest.mark.parametrize(
    'edit, message',
    [
        (lambda c: c.pop('image'), "key 'image' is missing"),
        (lambda c: c.pop('annotations'), "key 'annotations' is missing"),
        (lambda c: c['image'].pop('height'), "key 'height' is missing"),
        (lambda c: c.update(annotations={}), "'annotations' has the wrong type"),
        (lambda c: c['annotations'].append(3), "annotation 3: key 'segmentation' is missing"),
        (
            lambda c: c['annotations'][1].update(segmentation=[[0, 0, 4, 4, 0, 4]]),
            "annotation 1: 'segmentation' has the wrong type",
        ),
        (
            lambda c: c['annotations'][2]['segmentation'].pop('counts'),
            "annotation 2: key 'counts' is missing",
        ),
        (
            lambda c: c['annotations'][2]['segmentation'].update(counts='52'),
            r'annotation 2: RLE runs sum to 7 pixels, expected 6 x 8 = 48',
        ),
        (
            lambda c: c['annotations'][0]['segmentation'].update(counts='5~'),
            'annotation 0: RLE counts contain a character outside',
        ),
        (
            lambda c: c['annotations'][0]['segmentation'].update(size=[8, 6]),
            r'annotation 0: mask has height x width \[8, 6\], its image \[6, 8\]',
        ),
    ],
)
def test_damage_is_named(mask_file, edit, message):
    change(mask_file, edit)
    with pytest.raises(MaskFileError, match=rf'sa_7\.json.*{message}'):
        read_mask_file(mask_file)


def test_json_that_is_no_object_is_named(mask_file):
    mask_file.write_text('[1, 2]')
    with pytest.raises(MaskFileError, match=r"sa_7\.json: key 'image' is missing"):
        read_mask_file(mask_file)


def test_masks_of_another_image_size_are_named(mask_file):
    with pytest.raises(MaskFileError, match=r'sa_7\.json.*6 x 8.*the image has 12 x 16'):
        read_mask_file(mask_file, (12, 16))


HEAD = '{"image": {"width": 8, "height": 6, "file_name": "x.jpg"}, "annotations": '


def test_a_byte_order_mark_is_accepted(mask_file, masks):
    mask_file.write_bytes(b'\xef\xbb\xbf' + mask_file.read_bytes())
    assert np.array_equal([coco_mask.decode(rle) for rle in read_mask_file(mask_file)], masks)


@pytest.mark.parametrize(
    'text, message',
    [
        ('[' * 100_000, 'nested too deeply'),
        (HEAD + '[' * 100_000, 'nested too deeply'),
        (HEAD + '[], "score": NaN}', 'NaN is not a JSON number'),
        (HEAD + '[], "score": -Infinity}', '-Infinity is not a JSON number'),
        (HEAD + '[], "annotations": []}', "the key 'annotations' occurs twice"),
        (HEAD + '9' * 5000 + '}', 'not valid JSON'),
        ('"' + HEAD.replace('"', "'") + '"', "key 'image' is missing"),
        ('null', "key 'image' is missing"),
    ],
)
def test_hostile_json_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / 'x.json'
    path.write_text(text)
    with pytest.raises(MaskFileError, match=rf'x\.json.*{message}'):
        read_mask_file(path)


@pytest.mark.parametrize(
    'edit, message',
    [
        (lambda c: c['image'].update(width=10**30), 'expected at most 178956970 pixels'),
        (lambda c: c['image'].update(width=2**32 + 8), 'expected at most 178956970 pixels'),
        (lambda c: c['image'].update(width=-8), 'expected positive integers'),
        (lambda c: c['image'].update(width=True), 'expected positive integers'),
        (lambda c: c['image'].update(width=8.0), "'width' has the wrong type, got 8.0"),
        (
            lambda c: c['annotations'][1]['segmentation'].update(counts=[10**25, 48]),
            'annotation 1: RLE has a run of 10{25} pixels',
        ),
        (lambda c: c.update(annotations=[{}] * 10_001), '10001 masks, expected at most 10000'),
    ],
)
def test_hostile_values_are_refused_by_name(mask_file, edit, message):
    change(mask_file, edit)
    with pytest.raises(MaskFileError, match=rf'sa_7\.json.*{message}'):
        read_mask_file(mask_file)


def test_sides_that_are_floats_become_integers(mask_file):
    change(mask_file, lambda c: c['annotations'][0]['segmentation'].update(size=[6.0, 8.0]))
    assert [type(side) for side in read_mask_file(mask_file)[0]['size']] == [int, int]


@pytest.mark.parametrize('number', [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_machine_that_has_run_out_of_something_is_no_bad_file(mask_file, monkeypatch, number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number), str(mask_file))

    monkeypatch.setattr('mmengine.fileio.get', fail)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        read_mask_file(mask_file)
    assert not isinstance(caught.value, ValueError)


def test_writing_refuses_what_is_no_json(tmp_path, masks):
    for score in (float('nan'), float('inf'), object()):
        with pytest.raises((TypeError, ValueError)):
            write_mask_file(
                tmp_path / 'x.json', [encode(masks[0])], SIZE, 'x', details=[dict(score=score)]
            )
    assert not list(tmp_path.iterdir())
