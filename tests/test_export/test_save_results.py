"""Results in memory are saved without a run."""

import json

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.export import SegmentationResult, save_results


def result(seed, classes=('cat', 'grass'), **changes):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (6, 8, 3), np.uint8)
    return SegmentationResult(image, rng.integers(0, 2, (6, 8)), classes, **changes)


def test_one_result(tmp_path):
    one = result(0, name='a/photo.jpg')
    files = one.save(tmp_path, ['labels', 'coco'])
    assert tmp_path / 'labels/a/photo.png' in files and tmp_path / 'coco.json' in files
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'labels/a/photo.png')), one.labels)
    assert json.loads((tmp_path / 'coco.json').read_bytes())['images'][0]['file_name'] == one.name
    with pytest.raises(FileExistsError, match='photo'):
        one.save(tmp_path, ['labels'])
    other = result(1, name='a/photo.jpg')
    other.save(tmp_path, ['labels'], overwrite=True)
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'labels/a/photo.png')), other.labels)


def test_results_without_names(tmp_path):
    save_results(map(result, range(3)), tmp_path)
    names = [path.name for path in sorted(tmp_path.glob('overlays/*.png'))]
    assert names == ['000001.png', '000002.png', '000003.png']


@pytest.mark.parametrize(
    'results, formats, message',
    [
        ([result(0)], ['png'], r"\['png'\].*overlay"),
        ([result(0)], [], 'expected some of'),
        ([result(0), result(1, ('cat', 'sky'))], ['labels'], 'different classes'),
        ([result(0, name='a.jpg'), result(1, name='a.png')], ['labels'], 'a.png'),
        ([result(0)], ['heatmaps'], 'probabilities'),
    ],
)
def test_clear_errors(results, formats, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save_results(results, tmp_path, formats)
