"""Test configs contain the benchmark's class names, so they work in tools without our hooks."""

import numpy as np
import pytest
import torch
from mmseg.apis import MMSegInferencer
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_langseg.apis.benchmark import list_benchmarks
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.configs import CONFIGS, load, tiny_model

# Configs with a benchmark of their own, and PixelCLIP's configs on every benchmark.
TESTED = [
    (name, None)
    for name in CONFIGS
    if name.startswith(('maskclip/', 'clips4/'))
    and 'synthetic' not in name
    and 'photos' not in name
]
TESTED += [
    (f'pixelclip/{tower}_coco.py', benchmark)
    for tower in ('vit-b16', 'convnext-b')
    for benchmark in list_benchmarks()
    if benchmark != 'photos_test' and 'synthetic' not in benchmark
]
# Classes whose prompt names differ from the dataset's metainfo: PixelCLIP's pc59.json, MaskCLIP's
# spellings (listed in test_splits.py), SCLIP's names.
OTHER_NAMES = {
    'context59': {'table': 'diningtable'},
    'voc21_sclip': {'boat': 'ship', 'diningtable': 'table', 'tvmonitor': 'television monitor'},
}


@pytest.mark.parametrize('name, benchmark', TESTED)
def test_class_names_are_those_of_the_test_dataset(name, benchmark):
    cfg = load(name, benchmark)
    words = cfg.model.decode_head.vocabulary
    names = Vocabulary.parse(words).names
    classes = [
        c.strip() for c in DATASETS.get(cfg.test_dataloader.dataset.type).METAINFO['classes']
    ]
    assert len(names) == len(classes)
    if not words.endswith('_maskclip.json'):
        other = OTHER_NAMES.get(words.removesuffix('.json'), {})
        assert list(names) == [other.get(c, c) for c in classes]


def tiny_inferencer(name, benchmark=None):
    cfg = load(name, benchmark)
    cfg.model = tiny_model(cfg)
    torch.manual_seed(0)
    return MMSegInferencer(cfg, device='cpu')


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'a.jpg'
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 72, 3), np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize(
    'name, benchmark, num_classes',
    [
        ('pixelclip/vit-b16_coco.py', 'pascal_voc20', 20),
        ('pixelclip/vit-b16_coco.py', 'pascal_context459', 459),  # label maps of 16 bits
        ('pixelclip/convnext-b_coco.py', 'pascal_context59', 59),
        ('maskclip/vit-b16.py', 'ade_known_unknown', 150),
        ('clips4/r50_voc.py', None, 20),
    ],
)
def test_inferencer_of_the_toolbox_gives_labels(name, benchmark, num_classes, image):
    inferencer = tiny_inferencer(name, benchmark)
    labels = inferencer(image)['predictions']
    assert inferencer.model.decode_head.num_classes == num_classes
    assert labels.shape == (48, 72)
    assert labels.min() >= 0 and labels.max() < num_classes


@pytest.mark.parametrize('name', ['pixelclip/vit-b16_test-photos.py', 'clips4/r50_test-photos.py'])
def test_own_photos_have_their_names_in_a_file(name, image):
    assert 'vocabulary' not in load(name).model.decode_head
    with pytest.raises(
        RuntimeError, match=r'no class names.*decode_head\.vocabulary.*classes\.txt'
    ):
        tiny_inferencer(name)(image)
