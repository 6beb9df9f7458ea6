import json
from pathlib import Path

import pytest
import torch
from mmseg.registry import DATASETS

import mmseg_langseg  # noqa: F401  (registers the modules)
from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder, Vocabulary
from mmseg_langseg.models.text_encoders.vocabulary import SHIPPED
from tests.tiny import VIT

OFFICIAL = json.loads((Path(__file__).parent / 'data/pixelclip_classes.json').read_text('utf-8'))
OFFICIAL_TEMPLATES = [
    'itap of a {}.', 'a bad photo of the {}.', 'a origami {}.', 'a photo of the large {}.',
    'a {} in a video game.', 'art of the {}.', 'a photo of the small {}.',
    'A photo of a {} in the scene',
]  # fmt: skip

BENCHMARKS = {
    'ade150': 'ADE20KDataset',
    'ade847': 'ADE20K847Dataset',
    'cityscapes': 'CityscapesDataset',
    'coco_object': 'COCOObjectDataset',
    'coco_stuff27': 'COCOStuff27Dataset',
    'coco_stuff171': 'COCOStuffDataset',
    'context59': 'PascalContextDataset59',
    'context60': 'PascalContextDataset',
    'context459': 'PascalContext459Dataset',
    'voc20': 'PascalVOC20Dataset',
    'voc21': 'PascalVOCDataset',
}
# Class names that differ between the vocabulary file and the dataset. MaskCLIP's spellings are
# tested with the splits that use them (test_evaluation).
RENAMED = {'context59': {'table': 'diningtable'}}
SPELLINGS = {
    'voc20_sclip': dict(boat='ship', diningtable='table', tvmonitor='television monitor'),
    'voc21_sclip': dict(boat='ship', diningtable='table', tvmonitor='television monitor'),
    'coco_object_sclip': {},
}
BACKGROUNDS = {'voc21_sclip': 26, 'coco_object_sclip': 25}
CLEARCLIP = {name: dict(boat='ship', diningtable='table') for name in ('voc20', 'voc21')}
WITHOUT_BLANKS = ('ade150', 'cityscapes', 'coco_stuff171', 'context59')


def classes_of(name):
    return [c.strip() for c in DATASETS.get(BENCHMARKS[name]).METAINFO['classes']]


def test_every_shipped_file_is_tested():
    stems = {path.stem for path in SHIPPED.glob('*.json')}
    others = {stem for stem in stems if stem.endswith('_maskclip')} | {'context459_openseg'}
    assert {stem.removesuffix('_maskclip') for stem in others - {'context459_openseg'}} < stems
    others |= {f'{name}_clearclip' for name in CLEARCLIP}
    others |= {f'{name}_sclip' for name in WITHOUT_BLANKS}
    assert stems - others == {*BENCHMARKS, *SPELLINGS, 'contrast', 'synthetic'}


def test_every_file_has_the_schema_and_its_source():
    for path in SHIPPED.glob('*.json'):
        content = json.loads(path.read_text(encoding='utf-8'))
        keys = {'source', 'classes', 'background', 'separate_synonyms'}
        assert content['source'] and content.keys() <= keys, path
        Vocabulary.from_json(path.name)


@pytest.mark.parametrize('name', BENCHMARKS)
def test_shipped_names_are_those_of_the_dataset(name):
    vocabulary = Vocabulary.from_json(f'{name}.json')
    renamed = RENAMED.get(name, {})
    assert list(vocabulary.names) == [renamed.get(c, c) for c in classes_of(name)]
    assert vocabulary.row_classes == tuple(range(vocabulary.num_classes))
    assert not vocabulary.background
    # The default vocabulary, built from the dataset's class names.
    default = Vocabulary.from_names(classes_of(name))
    assert list(default.names) == classes_of(name)
    assert all(len(words) == 1 for words in default.rows)
    if name != 'ade847' and not renamed:
        assert vocabulary == default


@pytest.mark.parametrize('name', [key for key in OFFICIAL if key != 'source'])
def test_prompts_are_those_of_official_pixelclip(name, monkeypatch):
    """Equal character by character, except for the blank in 'bed ', which yields no token."""
    official = OFFICIAL[name]
    names = Vocabulary.from_json(f'{name}.json').names
    other = {(i, a) for i, (a, b) in enumerate(zip(official, names, strict=True)) if a != b}
    assert other == ({(7, 'bed ')} if name == 'ade150' else set())
    # The metainfo of the dataset differs in one name only.
    meta = DATASETS.get(BENCHMARKS[name]).METAINFO['classes']
    other = {
        (i, *pair) for i, pair in enumerate(zip(official, meta, strict=True)) if len({*pair}) > 1
    }
    assert other == ({(49, 'diningtable', 'table')} if name == 'context59' else set())

    encoder = OpenCLIPTextEncoder(VIT)
    tokens = []

    def remember(texts):
        tokens.append(encoder.tokenizer(list(texts)))
        return torch.ones(len(texts), encoder.embed_dim)

    monkeypatch.setattr(encoder, 'encode_texts', remember)
    encoder.encode_vocabulary(Vocabulary.from_json(f'{name}.json'), 'imagenet_select')
    sentences = [t.replace('{}', c) for c in official for t in OFFICIAL_TEMPLATES]
    assert torch.equal(torch.cat(tokens), encoder.tokenizer(sentences))


def test_official_names_are_raw():
    assert {'diningtable', 'pottedplant', 'tvmonitor', 'aeroplane'} <= {*OFFICIAL['voc20']}
    assert 'motorbike' in OFFICIAL['context59'] and OFFICIAL['context59'][49] == 'diningtable'
    assert {'wall-brick', 'sky-other', 'desk-stuff'} <= {*OFFICIAL['coco_stuff171']}
    assert 'bed ' in OFFICIAL['ade150']


def test_ade847_has_the_words_of_its_classes():
    from mmseg_langseg.datasets.ade20k_full_classes import ADE847_WORDS

    assert Vocabulary.from_json('ade847.json').rows == ADE847_WORDS


@pytest.mark.parametrize('name', SPELLINGS)
def test_words_of_sclip_map_by_index(name):
    vocabulary, classes = Vocabulary.from_json(f'{name}.json'), classes_of(name[:-6])
    assert list(vocabulary.names) == [SPELLINGS[name].get(c, c) for c in classes]
    assert vocabulary.synonyms[classes.index('person')][0] == 'person in shirt'
    rows = BACKGROUNDS.get(name, 0)
    assert len(vocabulary.background) == rows
    if rows:
        # Each background name is a row of class 0; 'background' itself has no row.
        assert vocabulary.row_classes[: rows + 1] == (0,) * rows + (1,)
        assert vocabulary.background[0] == ('sky',)
    # SCLIP's rule: each word is a row of its own.
    person = vocabulary.rows[vocabulary.row_classes.index(classes.index('person')) :][:2]
    assert person == (('person',), ('person in shirt',))


@pytest.mark.parametrize('name', CLEARCLIP)
def test_words_of_clearclip_map_by_index(name):
    vocabulary = Vocabulary.from_json(f'{name}_clearclip.json')
    assert list(vocabulary.names) == [CLEARCLIP[name].get(c, c) for c in classes_of(name)]
    assert len(vocabulary.rows) == vocabulary.num_classes


@pytest.mark.parametrize('name', WITHOUT_BLANKS)
def test_other_names_of_sclip_are_the_datasets_without_blanks(name):
    names = Vocabulary.from_json(f'{name}_sclip.json').names
    assert list(names) == [c.replace(' ', '') for c in classes_of(name)]


def test_context459_is_openseg_without_blanks():
    readable = Vocabulary.from_json('context459_openseg.json').names
    assert [name.replace(' ', '') for name in readable] == classes_of('context459')
    assert sum(' ' in name for name in readable) == 94


def test_synthetic_words_are_those_of_the_dataset():
    from mmseg_langseg.synthetic.renderer import CLASSES
    from mmseg_langseg.synthetic.words import SYNONYMS

    rows = tuple((name, *SYNONYMS[name]) for name in CLASSES)
    assert Vocabulary.from_json('synthetic.json').rows == rows
