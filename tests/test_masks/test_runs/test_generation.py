import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.masks.formats import read_mask_file, read_region_map
from mmseg_langseg.masks.runs import mask_worker
from tests.test_masks.tiles import NAMES, four_tiles, load_as_trainer, masks_of, run, tree

ERRORS = ValueError, MemoryError, torch.cuda.OutOfMemoryError


def test_every_image_gets_its_masks(images, tmp_path):
    report = run(images, tmp_path / 'out')
    assert (report.images, report.made, report.kept, report.masks) == (6, 6, 0, 24)
    assert set(masks_of(tmp_path / 'out')) == {
        Path(name).with_suffix('.json').as_posix() for name in NAMES
    }
    image = load_as_trainer(images / 'a/deep/3.JPEG')[..., ::-1]
    rles = read_mask_file(tmp_path / 'out/a/deep/3.json', image.shape[:2])
    expected = four_tiles(image)
    assert np.array_equal(
        [coco_mask.decode(rle) for rle in rles], [expected == i for i in range(4)]
    )
    content = json.loads((tmp_path / 'out/a/deep/3.json').read_text())
    assert content['image']['file_name'] == 'a/deep/3.JPEG'
    assert content['annotations'][2]['area'] == (expected == 2).sum()


def test_every_image_gets_its_regions(images, tmp_path):
    assert run(images, tmp_path / 'out', 'regions').masks == 24
    image = load_as_trainer(images / '5.png')[..., ::-1]
    assert np.array_equal(read_region_map(tmp_path / 'out/5.png'), four_tiles(image))


def test_masks_never_overwrite_images(images, tmp_path):
    before = tree(images)
    with pytest.raises(ValueError, match=r"the input '.*png'"):
        run(images, images, 'regions')
    assert tree(images) == before
    assert run(images, images).made == 6


def test_maps_within_the_folder_of_images_are_not_taken_for_images(images):
    for _ in range(2):
        assert run(images, images / 'maps', 'regions').images == 6


def test_images_of_one_stem_share_a_file(images, tmp_path):
    Image.new('RGB', (5, 5)).save(images / 'a/1.png')
    report = run(images, tmp_path / 'out')
    assert report.made == 6
    assert report.unreadable == [('a/1.png', 'a/1.jpg has the same mask file')]


def test_unreadable_images_cost_nothing_else(images, tmp_path):
    expected = run(images, tmp_path / 'good')
    whole = (images / 'a/1.jpg').read_bytes()
    png = (images / '5.png').read_bytes()
    bad = {
        'cut.jpg': whole[:-20],
        'cut.png': png[: len(png) // 2],
        'head.jpg': whole[:40],
        'noise.webp': bytes(range(256)),
        'zero.jpg': b'',
    }
    for name, content in bad.items():
        (images / name).write_bytes(content)
    report = run(images, tmp_path / 'out')
    assert report.made == expected.made
    assert [name for name, _ in report.unreadable] == sorted(bad)
    reasons = dict(report.unreadable)
    assert (
        reasons['cut.jpg'] == 'the JPEG is truncated' and reasons['zero.jpg'] == 'the file is empty'
    )
    good = masks_of(tmp_path / 'good')
    assert masks_of(tmp_path / 'out') == good


@pytest.mark.parametrize('error', ERRORS, ids=lambda e: e.__name__)
def test_an_image_too_large_to_decode_is_listed(error, images, tmp_path, monkeypatch):
    real = mask_worker.decode_image

    def decode(content):
        if content == (images / '5.png').read_bytes():
            raise error('too large')
        return real(content)

    monkeypatch.setattr(mask_worker, 'decode_image', decode)
    report = run(images, tmp_path / 'out')
    assert report.made == 5 and report.unreadable == [('5.png', 'too large')]


@pytest.mark.parametrize('error', ERRORS, ids=lambda e: e.__name__)
def test_what_a_generator_cannot_use_is_listed(error, images, tmp_path):
    def picky(image):
        if image.shape == load_as_trainer(images / '5.png').shape:
            raise error('too\nsmall')
        return four_tiles(image)

    report = run(images, tmp_path / 'out', make=picky)
    assert report.made == 5 and report.unreadable == [('5.png', 'too\nsmall')]
    lines = (tmp_path / 'out/.manifest/unreadable-0-of-1.txt').read_text()
    assert lines == '5.png\ttoo small\n'
