"""Benchmark datasets: labels are mapped as the protocol defines, and the configs evaluate."""

import runpy
from pathlib import Path

import mmengine.dataset
import mmseg
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.datasets import COCOStuffDataset, PascalContextDataset
from mmseg.registry import DATASETS, METRICS
from PIL import Image

from mmseg_langseg.datasets import (
    ADE20K847Dataset,
    COCOObjectDataset,
    COCOStuff27Dataset,
    LabelFileError,
    check_labels,
)
from mmseg_langseg.datasets.ade20k_full_classes import ADE847_NAMES, ADE847_RAW_IDS, ADE847_WORDS
from mmseg_langseg.datasets.label_conversion import encode_labels
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.tiny import pixelclip

FOLDER = Path(__file__).parents[2] / 'configs/_base_/datasets'
SIZE = (24, 36)
# For each benchmark: an image and its label file, the number of classes, and a mapping from labels
# in the file to labels in the metric (None if ignored).
VOC = 'JPEGImages/2007_00003{}.jpg', 'SegmentationClass/2007_00003{}.png'
CONTEXT = 'JPEGImages/2008_00000{}.jpg', 'SegmentationClassContext/2008_00000{}.png'
COCO = (
    'images/val2017/00000000013{}.jpg',
    'annotations/val2017/00000000013{}_labelTrainIds.png',
)
BENCHMARKS = {
    'pascal_voc20': (*VOC, 20, {0: None, 1: 0, 20: 19, 255: None}),
    'pascal_voc21': (*VOC, 21, {0: 0, 1: 1, 20: 20, 255: None}),
    'pascal_context59': (*CONTEXT, 59, {0: None, 1: 0, 37: 36, 59: 58}),
    'pascal_context60': (*CONTEXT, 60, {0: 0, 1: 1, 37: 37, 59: 59}),
    'coco_object': (*COCO, 81, {0: 1, 79: 80, 80: 0, 170: 0, 255: 0}),
    'coco_stuff164k': (*COCO, 171, {0: 0, 79: 79, 170: 170, 255: None}),
    'coco_stuff27': (*COCO, 27, {0: 9, 1: 11, 79: 4, 80: 17, 170: 24, 255: None}),
    'cityscapes': (
        'leftImg8bit/val/ulm/ulm_00000{}_000019_leftImg8bit.png',
        'gtFine/val/ulm/ulm_00000{}_000019_gtFine_labelTrainIds.png',
        19,
        {0: 0, 18: 18, 255: None},
    ),
    'ade20k': (
        'images/validation/ADE_val_0000000{}.jpg',
        'annotations/validation/ADE_val_0000000{}.png',
        150,
        {0: None, 1: 0, 150: 149},
    ),
    'ade20k_847': (
        'images_847/validation/ADE_val_0000000{}.jpg',
        'annotations_847/validation/ADE_val_0000000{}.png',
        847,
        {0: 0, 255: 255, 256: 256, 846: 846, 65535: None},
    ),
    'pascal_context459': (
        CONTEXT[0],
        'SegmentationContext459/2008_00000{}.png',
        459,
        {0: 0, 255: 255, 458: 458, 65535: None},
    ),
}


@pytest.fixture(scope='module')
def model():
    return pixelclip(vocabulary=['cat', 'dog']).eval()


def write_benchmark(root, image, labels, values):
    """Write two images in the official layout; the label values form vertical stripes."""
    stripes = np.resize(np.repeat(list(values), 3), SIZE[1])
    label_map = np.broadcast_to(stripes, SIZE)
    for index in (1, 2):
        paths = [root / template.format(index) for template in (image, labels)]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(index).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(paths[0])
        if max(values) > 255:
            paths[1].write_bytes(encode_labels(label_map))
        else:
            Image.fromarray(label_map.astype(np.uint8)).save(paths[1])
    return label_map


def write_list(dataset, root, image):
    path = root / dataset.ann_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{Path(image.format(i)).stem}\n' for i in (1, 2)))


def test_every_labeled_benchmark_is_listed():
    # Configs derived from a benchmark, and datasets that are no benchmark.
    others = ('known_unknown', '_views', '_aug', 'photos', 'synthetic')
    paths = [path for path in FOLDER.glob('*.py') if not any(w in path.stem for w in others)]
    tested = {p.stem for p in paths if 'dataset' in Config.fromfile(p).get('test_dataloader', {})}
    assert tested == set(BENCHMARKS)


@pytest.mark.parametrize('name', BENCHMARKS)
def test_config_evaluates_the_official_layout(name, model, tmp_path):
    image, labels, num_classes, values = BENCHMARKS[name]
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    settings = cfg.test_dataloader.dataset
    written = write_benchmark(tmp_path, image, labels, values)
    if settings.get('ann_file'):
        write_list(settings, tmp_path, image)
    settings.update(data_root=str(tmp_path), test_mode=True)
    settings.pipeline[1].scale = (256, 32)
    dataset = DATASETS.build(settings)
    assert len(dataset) == 2 and len(dataset.metainfo['classes']) == num_classes
    assert len(dataset.metainfo['palette']) == num_classes

    metric = METRICS.build(cfg.test_evaluator)
    metric.dataset_meta = dataset.metainfo
    samples = [dataset[i] for i in range(2)]
    found = samples[0]['data_samples'].gt_sem_seg.data[0].numpy()
    for value, label in values.items():
        expected = metric.ignore_index if label is None else label
        assert (found[written == value] == expected).all(), value

    # The model is shared and has two classes; only the number of scores differs by benchmark.
    with torch.no_grad():
        batch = mmengine.dataset.pseudo_collate(samples)
        results = [result.to_dict() for result in model.test_step(batch)]
    metric.process({}, results)
    assert 0 <= metric.compute_metrics(metric.results)['mIoU'] <= 100
    # The ground truth itself scores 100, so no counted pixel is dropped or counted twice.
    for result in results:
        truth = result['gt_sem_seg']['data']
        legal = torch.where(truth == metric.ignore_index, 0, truth)
        result['pred_sem_seg'] = dict(data=legal)
    metric.results.clear()
    metric.process({}, results)
    intersect, union, _, label_area = (sum(parts) for parts in zip(*metric.results, strict=True))
    assert torch.equal(intersect, union) and torch.equal(intersect, label_area)
    counted = {label for label in values.values() if label is not None}
    assert set(intersect.nonzero().flatten().tolist()) == counted


def test_stuff27_is_iics_table_of_raw_labels():
    """Raw labels as in stuffthingmaps; eleven of COCO's 91 things were never annotated."""
    absent = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
    things = [9] + [11] * 8 + [8] * 6 + [7] * 10 + [6] * 8 + [10] * 10 + [5] * 8 + [2] * 10
    things += [3] * 10 + [0] * 6 + [1] * 6 + [4] * 8
    stuff = [
        17, 17, 22, 20, 20, 22, 15, 25, 16, 13, 12, 12, 17, 17, 23, 15, 15, 17, 15, 21, 15, 25, 13,
        13, 13, 13, 13, 22, 26, 14, 14, 15, 22, 21, 21, 24, 20, 22, 15, 17, 16, 15, 22, 24, 21, 17,
        25, 16, 21, 17, 22, 16, 21, 21, 25, 21, 26, 21, 24, 20, 17, 14, 21, 26, 15, 23, 20, 21, 24,
        15, 24, 22, 25, 15, 20, 17, 17, 22, 14, 18, 18, 18, 18, 18, 18, 18, 26, 26, 19, 19, 24,
    ]  # fmt: skip
    assert len(things) == len(stuff) == 91
    coarse = [c for raw, c in enumerate(things + stuff) if raw not in absent]
    assert COCOStuff27Dataset.get_label_map() == dict(enumerate(coarse))


def test_cocos_gaps_close_on_the_way_from_raw_labels(tmp_path):
    """Convert raw label maps with MMSegmentation's converter for all three COCO benchmarks."""
    file = Path(mmseg.__file__).parent / '.mim/tools/dataset_converters/coco_stuff164k.py'
    convert = runpy.run_path(str(file))['convert_to_trainID']
    # 11 of COCO's raw thing IDs are unused; 11 and 25 are the first two.
    meaning = {
        0: ('person', 'person', 'person-things'),
        10: ('fire hydrant', 'fire hydrant', 'outdoor-things'),
        12: ('stop sign', 'stop sign', 'outdoor-things'),
        24: ('giraffe', 'giraffe', 'animal-things'),
        26: ('backpack', 'backpack', 'accessory-things'),
        89: ('toothbrush', 'toothbrush', 'indoor-things'),
        91: ('banner', 'background', 'textile-stuff'),
        181: ('wood', 'background', 'solid-stuff'),
        255: (None, 'background', None),
    }
    (tmp_path / 'annotations/val2017').mkdir(parents=True)
    (tmp_path / 'images/val2017').mkdir(parents=True)
    Image.fromarray(np.array([list(meaning)] * 2, np.uint8)).save(tmp_path / '000000000139.png')
    Image.new('RGB', (len(meaning), 2)).save(tmp_path / 'images/val2017/000000000139.jpg')
    convert(str(tmp_path / '000000000139.png'), str(tmp_path / 'annotations'), is_train=False)
    for column, name in enumerate(('coco_stuff164k', 'coco_object', 'coco_stuff27')):
        settings = Config.fromfile(FOLDER / f'{name}.py').test_dataloader.dataset
        settings.update(data_root=str(tmp_path), test_mode=True)
        settings.pipeline[1].scale = (len(meaning), 2)
        dataset = DATASETS.build(settings)
        labels = dataset[0]['data_samples'].gt_sem_seg.data[0, 0].tolist()
        classes = dataset.metainfo['classes']
        names = [None if label == 255 else classes[label] for label in labels]
        assert names == [words[column] for words in meaning.values()], name


def test_coco_objects_are_the_things_of_coco_stuff():
    classes, stuff = COCOObjectDataset.METAINFO['classes'], COCOStuffDataset.METAINFO['classes']
    mapping = COCOObjectDataset.get_label_map()
    assert set(mapping) == {*range(171), 255}
    assert all(classes[mapping[i]] == stuff[i] for i in range(80))
    assert {mapping[i] for i in [*range(80, 171), 255]} == {0}


@pytest.mark.parametrize('dataset', [COCOObjectDataset, COCOStuff27Dataset])
def test_a_subset_of_the_classes_is_refused(dataset):
    with pytest.raises(ValueError, match=r"fixed classes, got \['person'\]"):
        dataset(metainfo=dict(classes=['person']), lazy_init=True)


def test_context459_agrees_with_the_59_of_mmseg():
    """mmseg's converter lists the 1-based IDs of its classes among the 459."""
    numbers = [
        2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113,
        115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324,
        326, 347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458,
    ]  # fmt: skip
    classes = DATASETS.get('PascalContext459Dataset').METAINFO['classes']
    assert len(classes) == len(set(classes)) == 459
    wanted = [name.strip() for name in PascalContextDataset.METAINFO['classes'][1:]]
    assert [classes[number - 1] for number in numbers] == wanted
    with_blanks = Vocabulary.from_json('context459_openseg.json').names
    assert list(with_blanks) == sorted(with_blanks)  # labels.txt is in this order


def test_ade847_is_in_order_and_its_names_are_distinct():
    assert len(ADE847_NAMES) == len(set(ADE847_RAW_IDS)) == 847
    # ADE20K numbers its names alphabetically, except those added later.
    by_id = [words for raw, words in sorted(zip(ADE847_RAW_IDS, ADE847_NAMES, strict=True))]
    first = [', '.join(words) for words in by_id]
    added = sum(raw > 3100 for raw in ADE847_RAW_IDS)
    assert first[:-added] == sorted(first[:-added]) and added == 20
    assert ADE847_NAMES[0] == ('wall',) and ADE847_NAMES[846][0] == 'adding machine'
    assert ADE847_RAW_IDS[:3] == (2978, 312, 2420) and ADE847_RAW_IDS[846] == 3148

    every = [word for words in ADE847_WORDS for word in words]
    assert len(every) == len(set(every)) and all(ADE847_WORDS)
    assert set(every) == {word for words in ADE847_NAMES for word in words}
    words = dict(zip(ADE847_NAMES, ADE847_WORDS, strict=True))
    assert words['pier', 'wharf', 'wharfage', 'dock'] == ('wharf', 'wharfage', 'dock')
    assert words['pipe', 'pipage', 'piping'][0] == 'pipe' and words['pipe', 'tube'] == ('tube',)
    assert ADE20K847Dataset.METAINFO['classes'][412] == 'tube'


@pytest.mark.parametrize('name', BENCHMARKS)
def test_a_label_of_no_class_ends_the_check(name, tmp_path):
    image, labels, _, values = BENCHMARKS[name]
    settings = Config.fromfile(FOLDER / f'{name}.py').test_dataloader.dataset
    write_benchmark(tmp_path, image, labels, values)
    if settings.get('ann_file'):
        write_list(settings, tmp_path, image)
    settings.update(data_root=str(tmp_path), test_mode=True)
    dataset = DATASETS.build(settings)
    check_labels(dataset)

    wrong = max(value for value in values if value not in (255, 65535)) + 1
    write_benchmark(tmp_path, image, labels, {**values, wrong: None})
    with pytest.raises(LabelFileError) as error:
        check_labels(dataset)
    lines = str(error.value).splitlines()
    assert lines[0].startswith('2 of 2 images') and len(lines) == 3
    assert labels.format(1) in lines[1] and f'label value {wrong} (' in lines[1]
    for index in (1, 2):
        (tmp_path / labels.format(index)).unlink()
    with pytest.raises(LabelFileError, match=f'{labels.format(2)}: this label map does not exist'):
        check_labels(dataset)


@pytest.mark.parametrize('name', ['ade20k_847', 'pascal_context459'])
def test_wide_labels_of_8_bits_are_refused(name, tmp_path):
    image, labels, _, _ = BENCHMARKS[name]
    cfg = Config.fromfile(FOLDER / f'{name}.py').test_dataloader.dataset
    write_benchmark(tmp_path, image, labels, {0: 0})
    if cfg.get('ann_file'):
        write_list(cfg, tmp_path, image)
    dataset = DATASETS.build({**cfg, 'data_root': str(tmp_path), 'test_mode': True})
    with pytest.raises(LabelFileError, match='expected a 16-bit label map'):
        check_labels(dataset)
