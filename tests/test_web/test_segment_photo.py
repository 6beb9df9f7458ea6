"""Photos of the page: files to the pixel, and a message for everything that is wrong."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.export import class_colors
from mmseg_langseg.synthetic.renderer import render_scene
from mmseg_langseg.web.model_pool import ModelPool
from mmseg_langseg.web.segment_photo import MAX_CHARACTERS, PhotoSegmenter

TEXTS = 'ring; heart; ball; waves'


@pytest.fixture(scope='module')
def segment():
    return LangSegInferencer('embedded', device='cpu')


@pytest.fixture
def page(segment, tmp_path):
    (tmp_path / 'results').mkdir()
    return PhotoSegmenter(ModelPool(dict(embedded=lambda: segment)), tmp_path / 'results')


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / '1f2e' / 'upload.png'
    path.parent.mkdir()
    Image.fromarray(render_scene('test', 109, 96).image[:80]).save(path)
    return str(path), 'my photo.png'


def from_coco(path, classes):
    content = json.loads(path.read_text())
    (entry,) = content['images']
    assert entry['file_name'] == 'my photo.png'
    names = {category['id']: category['name'] for category in content['categories']}
    labels = np.full((entry['height'], entry['width']), -1)
    for annotation in content['annotations']:
        index = classes.index(names[annotation['category_id']])
        labels[coco_mask.decode(annotation['segmentation']).astype(bool)] = index
    return labels


def test_files_equal_the_result_of_the_inferencer(segment, page, photo):
    result, message = page(photo, TEXTS, 'embedded', threshold=0.4)
    expected = segment(photo[0], TEXTS, threshold=0.4)
    assert message == '5 of 5 classes found.'
    assert np.array_equal(np.asarray(Image.open(result.label_file)), expected.labels)
    assert (result.label_file.name, result.coco_file.name) == ('my photo.png', 'coco.json')
    other = expected.classes.index('other')
    annotated = np.where(expected.labels == other, -1, expected.labels)
    assert np.array_equal(from_coco(result.coco_file, expected.classes), annotated)
    for index, name in enumerate(expected.classes):
        assert result.shares[name] == pytest.approx((expected.labels == index).mean())
    assert list(result.shares.values()) == sorted(result.shares.values(), reverse=True)
    result.remove()
    assert not list(page.folder.iterdir())


def test_pictures_show_the_chosen_classes(segment, page, photo):
    result, _ = page(photo, TEXTS, 'embedded')
    assert result.picture().size == (640, 533)
    expected = segment(photo[0], TEXTS, probabilities=True)
    one = np.asarray(result.picture(['ring'])).astype(int)
    image, ring = result.shown.image.astype(int), result.shown.labels == 0
    assert np.array_equal(one[~ring], image[~ring])
    blended = 0.45 * image[ring] + 0.55 * class_colors(['ring'])[0]
    assert np.abs(one[ring] - blended).max() <= 0.51
    assert np.array_equal(np.asarray(result.picture([])), result.shown.image)
    assert result.heat_classes == expected.classes
    for name, values in zip(expected.classes, expected.probabilities, strict=True):
        heat = np.asarray(result.heat_map(name)) / 255
        assert heat.shape == (533, 640) and abs(heat.mean() - values.mean()) < 0.01
    assert abs(np.asarray(result.margin_map()).mean() / 255 - expected.margin.mean()) < 0.01


def test_large_and_narrow_photos_are_reduced_on_the_page_only(page, tmp_path):
    rng = np.random.default_rng(0)
    for height, width, shown in ((30, 2560, (1280, 15)), (700, 9, (9, 700)), (1, 1, (640, 640))):
        path = tmp_path / 'x.png'
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)
        result, message = page((str(path), 'x.png'), TEXTS, 'embedded')
        assert result is not None, message
        assert result.picture().size == result.heat_map('ring').size == shown
        assert Image.open(result.label_file).size == (width, height)


def test_a_single_class_is_explained(page, photo):
    result, message = page(photo, 'ring', 'embedded')
    assert "The single class 'ring' competes with common words" in message
    assert result.heat_classes == ('ring', 'other')


def test_a_class_called_other_is_annotated(page, photo):
    result, _ = page(photo, 'other; waves', 'embedded')
    names = [entry['name'] for entry in json.loads(result.coco_file.read_text())['categories']]
    assert names == ['other', 'waves']


def test_warnings_are_part_of_the_message(page, photo):
    message = page(photo, 'zebra; ring', 'embedded', threshold=1)[1]
    assert "does not know 'zebra'" in message and "All pixels are 'other': lower the" in message
    assert 'encoder reads 77 tokens' in page(photo, 'ring; ' + 'very ' * 80, 'embedded')[1]


def png(size, mode='1'):
    content = io.BytesIO()
    Image.new(mode, size).save(content, format='PNG')
    return content.getvalue()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'text', "'p.jpg' cannot be decoded as an image"),
        (b'', "'p.jpg' cannot be decoded as an image"),
        (png((64, 64), 'RGB')[:90], "'p.jpg' cannot be decoded as an image"),
        (png((6000, 5000)), "'p.jpg' has 6000x5000 pixels; expected at most 25 megapixels"),
        (png((60000, 6000)), "'p.jpg' is too large"),
    ],
)
def test_photos_that_are_not_valid(page, tmp_path, content, message):
    (tmp_path / 'upload').write_bytes(content)
    result, found = page((str(tmp_path / 'upload'), 'p.jpg'), TEXTS, 'embedded')
    assert result is None and found.startswith(message), found
    assert str(tmp_path) not in found and not list(page.folder.iterdir())


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        ('  ', 'There are no class names yet'),
        ('cat;;dog', 'Entry 2 of the vocabulary'),
        ('cat; Cat', "The word 'Cat' occurs twice"),
        ('x' * (MAX_CHARACTERS + 1), 'The class names have 5001 characters; expected at most 5000'),
        ('voc20.json', None),  # a name, not a file of the server
    ],
)
def test_class_names_that_are_not_valid(page, photo, texts, message):
    result, found = page(photo, texts, 'embedded')
    if message is None:
        assert result.shown.classes == ('voc20.json', 'other')
    else:
        assert result is None and found.startswith(message), found


def test_other_messages(page, photo, segment, tmp_path, monkeypatch):
    assert page(None, TEXTS, 'embedded') == (
        None,
        'There is no photo yet: add one, or choose the example.',
    )
    assert page(photo, TEXTS, 'huge')[1].startswith("There is no model 'huge'")
    assert 'does not name a file' in page((photo[0], '..'), TEXTS, 'embedded')[1]

    def offline():
        raise ConnectionError('no network: put ViT-B-16.pt into ...')

    pool = ModelPool(dict(clip=offline))
    found = PhotoSegmenter(pool, tmp_path)(photo, TEXTS, 'clip')
    assert found == (None, 'no network: put ViT-B-16.pt into ...')
    monkeypatch.setattr('mmseg_langseg.web.segment_photo.MAX_PROBABILITIES', 20_000)
    message = page(photo, TEXTS, 'embedded')[1]
    assert 'at most 2 classes, got 4' in message
