"""CLIP-S⁴ and MaskCLIP+ training configs train and test at tiny sizes on the official layouts."""

import shutil

import numpy as np
import pytest

from mmseg_langseg.apis import run_test, run_training
from tests.configs import CONFIGS, load, tiny_model
from tests.test_datasets.test_benchmark_datasets import BENCHMARKS, write_benchmark, write_list

LAYOUTS = {
    'voc': 'pascal_voc20',
    'context': 'pascal_context59',
    'cocostuff': 'coco_stuff164k',
    'ade': 'ade20k',
}
TRAINED = [
    name
    for name in CONFIGS
    if name.startswith(('clips4/r50', 'clips4/vit', 'maskclip/plus_r50')) and 'photos' not in name
]


def write_data(cfg, name, root):
    """Write two images in the benchmark's layout, for training and testing."""
    (layout,) = [LAYOUTS[word] for word in name.removesuffix('.py').split('_') if word in LAYOUTS]
    image, labels, _, values = BENCHMARKS[layout]
    write_benchmark(root, image, labels, values)
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    for dataset in (train, test):
        if dataset.get('ann_file'):
            write_list(dataset, root, image)
    for index in (1, 2):
        source = root / image.format(index)
        target = root / train.data_prefix.img_path / source.name
        if target != source:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def tiny_config(name, root):
    """Return the config with a tiny model, small views, and data under ``root``."""
    cfg = load(name)
    cfg.model = tiny_model(cfg)
    cfg.model.decode_head.templates = 'single'
    cfg.model.decode_head.text_encoder.cache_dir = None
    cfg.model.backbone.pop('init_cfg', None)
    cfg.model.data_preprocessor.teacher_size = (32, 32)
    for step in cfg.train_dataloader.dataset.pipeline:
        if step.type == 'AugmentedViews':
            step.transforms[0].update(crop_size=(64, 64), ratio_range=(1.0, 2.0))
    loaders = dict(num_workers=0, persistent_workers=False, batch_size=2)
    cfg.train_dataloader.update(loaders)
    cfg.test_dataloader.update(loaders, batch_size=1)
    cfg.test_dataloader.dataset.pipeline[1].scale = (128, 64)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(root)
    cfg.train_cfg.update(max_iters=1)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None  # testing is run afterwards
    cfg.log_level, cfg.experiment_name = 'ERROR', root.name
    return cfg


def train_and_test(cfg, work):
    losses = {}
    runner = run_training(cfg, work_dir=str(work))
    for key, value in runner.message_hub.log_scalars.items():
        if 'loss' in key:
            losses[key] = value.current()
    assert losses and all(np.isfinite(value) for value in losses.values())
    return run_test(cfg, str(work / 'iter_1.pth'), work_dir=str(work / 'test'))


@pytest.mark.parametrize('name', TRAINED)
def test_trains_and_tests(name, tmp_path):
    cfg = tiny_config(name, tmp_path)
    write_data(cfg, name, tmp_path)
    figures = train_and_test(cfg, tmp_path / 'work')
    assert 0 <= figures['mIoU'] <= 100
