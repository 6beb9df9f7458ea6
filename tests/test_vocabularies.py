import json

import pytest
from mmseg.datasets import (
    ADE20KDataset,
    CityscapesDataset,
    COCOStuffDataset,
    PascalContextDataset59,
    PascalVOCDataset,
)

from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.text_encoders.vocabulary import SHIPPED

BENCHMARKS = {
    'ade150': ADE20KDataset,
    'coco_stuff171': COCOStuffDataset,
    'context59': PascalContextDataset59,
    'cityscapes': CityscapesDataset,
    'voc20': PascalVOCDataset,
}


def test_every_shipped_file_is_tested():
    # MaskCLIP's spellings are tested with the splits that use them (test_evaluation).
    stems = {path.stem for path in SHIPPED.glob('*.json')}
    assert {stem for stem in stems if not stem.endswith('_maskclip')} == set(BENCHMARKS)
    assert {stem.removesuffix('_maskclip') for stem in stems} == set(BENCHMARKS)


@pytest.mark.parametrize('name', BENCHMARKS)
def test_shipped_names_are_those_of_mmseg(name):
    vocabulary = Vocabulary.from_json(f'{name}.json')
    classes = [c.strip() for c in BENCHMARKS[name].METAINFO['classes']]
    if name == 'voc20':
        assert classes.pop(0) == 'background'
    assert list(vocabulary.names) == classes
    assert vocabulary == Vocabulary.from_names(classes)
    assert vocabulary.row_classes == tuple(range(len(classes)))
    assert all(len(words) == 1 for words in vocabulary.rows)
    assert json.loads((SHIPPED / f'{name}.json').read_text())['source']
