import numpy as np
import pytest

from mmseg_langseg.export import SegmentationResult

CLASSES = ('Bäume', '草地', 'fire truck 🚒', 'a/b \\ "c" <d>', 'other')
REJECTED = 4


def make_result(labels, classes=CLASSES, **values):
    labels = np.asarray(labels, np.int64)
    image = np.full((*labels.shape, 3), 90, np.uint8)
    return SegmentationResult(image, labels, tuple(classes), **values)


def shapes():
    """Return labels with diagonal contacts, nested holes, single pixels and rejected pixels."""
    labels = np.full((37, 53), REJECTED)
    labels[2:30, 3:40] = 0
    for depth in range(1, 9):  # holes within holes
        labels[2 + depth : 30 - depth, 3 + depth : 40 - depth] = depth % 3
    labels[31, 45], labels[32, 46], labels[33, 45], labels[32, 44] = 1, 1, 1, 1  # a diamond
    labels[0, 0] = labels[0, 52] = labels[36, 0] = labels[36, 52] = 3  # single pixels
    labels[34, 10:20] = 2
    labels[31:36, 22] = 2
    labels[:, 50] = np.where(np.arange(37) % 2, 1, labels[:, 50])
    return labels


@pytest.fixture
def results():
    """Results by image name: odd sizes, noise, subfolders and names of any language."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 5, (7, 9)).repeat(11, 0).repeat(7, 1)[:73, :61]
    return {
        'shapes.jpg': make_result(shapes()),
        'Äcker ü/草 🚒 x.v2.PNG': make_result(rng.integers(0, 5, (19, 23))),
        'Äcker ü/sub/blocks.jpeg': make_result(blocks),
        'two.jpg': make_result(rng.integers(0, 2, (60, 60))),
        'tall.jpg': make_result(rng.integers(0, 5, (31, 1))),
        'dot.jpg': make_result([[0]]),
        'nothing.jpg': make_result(np.full((5, 4), REJECTED)),
        'full.jpg': make_result(np.full((300, 401), 2)),
    }


@pytest.fixture
def many():
    """One result with 300 classes, all present."""
    labels = np.random.default_rng(1).permutation(300).reshape(15, 20).repeat(2, 0).repeat(3, 1)
    return make_result(labels, [f'class {i}' for i in range(300)])


def export(exporter, results):
    exporter.check_names(list(results))
    for name, result in results.items():
        exporter.add(name, result)
    return exporter.finish(list(results))
