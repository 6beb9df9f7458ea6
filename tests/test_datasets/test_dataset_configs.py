import warnings
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS, METRICS, TRANSFORMS

from mmseg_langseg.datasets import UnlabeledMaskDataset

FOLDER = Path(__file__).parents[2] / 'configs/_base_/datasets'
TEST_SETS = dict(
    ade20k=150,
    ade20k_847=847,
    cityscapes=19,
    coco_object=81,
    coco_stuff164k=171,
    coco_stuff27=27,
    pascal_context59=59,
    pascal_context60=60,
    pascal_context459=459,
    pascal_voc20=20,
    pascal_voc21=21,
)


@pytest.mark.parametrize('name, num_classes', TEST_SETS.items())
def test_test_sets_have_their_classes_and_the_papers_size(name, num_classes):
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        dataset = DATASETS.get(loader.dataset.type)
        assert len(dataset.METAINFO['classes']) == num_classes
        steps = [TRANSFORMS.build(step) for step in loader.dataset.pipeline]
        assert [type(step).__name__ for step in steps[2:]] == ['LoadLabelMap', 'PackSegInputs']
        assert steps[2].ignore_index == (65535 if num_classes > 255 else 255)
        for size, resized in [((480, 640), (640, 853)), ((300, 1500), (512, 2560))]:
            image = np.zeros((*size, 3), np.uint8)
            assert steps[1](dict(img=image))['img'].shape[:2] == resized
        assert loader.batch_size == 1 and loader.sampler.type == 'DefaultSampler'
    metric = METRICS.build(cfg.test_evaluator)
    assert metric.ignore_index == (65535 if num_classes > 255 else 255)


def test_wide_pipelines_differ_in_the_label_loader_only():
    wide = Config.fromfile(FOLDER / 'segmentation_test_wide.py')
    usual = Config.fromfile(FOLDER / 'segmentation_test.py')
    for key in ('test_pipeline', 'tta_pipeline'):
        text = str(wide[key]).replace("'LoadLabelMap', 'ignore_index': 65535", "'LoadLabelMap'")
        assert text == str(usual[key]) != str(wide[key])


def test_tta_pipeline_builds():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        step = Config.fromfile(FOLDER / 'ade20k.py').tta_pipeline[1]
        TRANSFORMS.build(step)


@pytest.mark.parametrize(
    'name, with_masks',
    [
        ('coco_masks', True),
        ('sa1b_masks', True),
        ('photos', True),
        ('coco_images', False),
        ('sa1b_images', False),
    ],
)
def test_training_sets_build(name, with_masks, tmp_path):
    dataset = Config.fromfile(FOLDER / f'{name}.py').train_dataloader.dataset
    assert DATASETS.get(dataset.type) is UnlabeledMaskDataset
    assert ('mask_path' in dataset.data_prefix) == with_masks
    steps = [step.type for step in dataset.pipeline]
    assert ('LoadUnlabeledMasks' in steps) == with_masks
    dataset.data_root = str(tmp_path)
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        DATASETS.build(dataset)


def test_training_and_test_sets_combine():
    Config.fromfile(FOLDER / 'photos.py')
    text = f"_base_ = ['{FOLDER / 'coco_masks.py'}', '{FOLDER / 'ade20k.py'}']"
    cfg = Config.fromstring(text, '.py')
    assert cfg.train_dataloader.dataset.type == 'UnlabeledMaskDataset'
    assert cfg.val_dataloader.dataset.type == 'ADE20KDataset'
