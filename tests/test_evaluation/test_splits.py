"""Splits into known and unknown classes in configs/_base_/splits."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmseg.datasets import ADE20KDataset, COCOStuffDataset, PascalContextDataset59

from mmseg_langseg.datasets import PascalVOC20Dataset
from mmseg_langseg.evaluation import KnownUnknownIoUMetric
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic import SyntheticScenesDataset
from mmseg_langseg.synthetic.renderer import BACKGROUND_CLASSES, OBJECT_CLASSES

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'splits'
DATASETS = {
    'ade150': ADE20KDataset,
    'coco_stuff171': COCOStuffDataset,
    'context59': PascalContextDataset59,
    'synthetic': SyntheticScenesDataset,
    'voc20': PascalVOC20Dataset,
}
# Indices from specs/clips4.md, section 3; Context's are 1-based, as 0 is the background.
UNSEEN = {
    'voc20': [15, 16, 17, 18, 19],
    'context59': [i - 1 for i in (20, 34, 49, 15, 8, 25, 7, 55, 32, 1)],
    'coco_stuff171': [19, 23, 28, 29, 36, 51, 76, 88, 94, 112, 133, 136, 137, 157, 160],
}
SPELLINGS = {
    'aeroplane': 'airplane',
    'diningtable': 'dining table',
    'pottedplant': 'potted plant',
    'tvmonitor': 'tv monitor',
    'wall-concrete': 'concrete wall',
}


def load(name):
    return Config.fromfile(FOLDER / f'{name}.py')


def classes(name):
    return [' '.join(c.split()) for c in DATASETS[name].METAINFO['classes']]


def test_every_split_is_tested():
    assert {path.stem for path in FOLDER.glob('*.py')} == set(DATASETS)


@pytest.mark.parametrize('name', DATASETS)
def test_the_lists_share_nothing_and_are_the_classes_in_order(name):
    split = load(name)
    assert not set(split.known) & set(split.unknown)
    assert [c for c in classes(name) if c in split.known] == split.known
    assert [c for c in classes(name) if c in split.unknown] == split.unknown
    assert len(split.known) + len(split.unknown) == len(classes(name))
    metric = KnownUnknownIoUMetric(unknown=split.unknown, known=split.known)
    metric.dataset_meta = DATASETS[name].METAINFO


@pytest.mark.parametrize('name', UNSEEN)
def test_unknown_are_the_indices_of_maskclip(name):
    assert load(name).unknown == [classes(name)[i] for i in sorted(UNSEEN[name])]


def test_ade_takes_every_tenth_class():
    ranks = {rank: name for rank, name in enumerate(classes('ade150'), 1)}
    assert load('ade150').unknown == [ranks[rank] for rank in range(10, 151, 10)]


def test_synthetic_takes_every_third_object_and_the_third_background():
    expected = [name for rank, name in enumerate(OBJECT_CLASSES, 1) if rank % 3 == 0]
    assert load('synthetic').unknown == [*expected, BACKGROUND_CLASSES[2]]
    assert len(load('synthetic').known) == 12


@pytest.mark.parametrize('name', UNSEEN)
def test_words_and_vocabulary_map_by_index(name):
    names, split = classes(name), load(name)
    words = Vocabulary.from_json(f'{name}_maskclip.json').names
    assert len(words) == len(names)
    spelled = dict(zip(names, words, strict=True))
    assert split.known_words == [spelled[c] for c in split.known]
    for original, spelling in SPELLINGS.items():
        assert spelled.get(original, spelling) == spelling
    if name != 'coco_stuff171':
        assert {c: w for c, w in spelled.items() if c != w}.items() <= SPELLINGS.items()


def test_coco_stuffs_words_are_plain_english():
    words = load('coco_stuff171').known_words
    assert not [word for word in words if '-' in word or 'other' in word or 'stuff' in word]
    assert {'building', 'brick wall', 'tile floor', 'desk', 'sky'} <= set(words)
