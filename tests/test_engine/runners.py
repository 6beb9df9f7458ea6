"""Real and mock runners for the hooks."""

import copy
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from mmseg_langseg.engine.hooks import (
    DatasetVocabularyHook,
)
from mmseg_langseg.synthetic.renderer import CLASSES
from tests.tiny import pixelclip, pixelclip_config

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'pixelclip' / 'resnet_synthetic.py'
SCENES = dict(
    type='SyntheticScenesDataset',
    split='train',
    num_scenes=9,
    pipeline=[dict(type='LoadSyntheticScene'), dict(type='PackSegInputs')],
)
VOCABULARY = dict(type='DatasetVocabularyHook')


def fake_runner(model, **classes):
    """Return a mock runner; ``classes`` are those of the val and test datasets."""
    loaders = {
        f'{name}_dataloader': SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=names)))
        for name, names in classes.items()
    }
    return SimpleNamespace(model=model, logger=Mock(), **loaders)


def build_runner(folder, model=None, hooks=(), iters=5, **options):
    """Build a real runner on a few scenes, from the bundled config."""
    cfg = Config.fromfile(CONFIG)
    cfg.model = ConfigDict(model or pixelclip_config())
    cfg.custom_hooks = list(hooks)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{folder.parent.name}_{folder.name}_{iters}'
    cfg.merge_from_dict(
        {
            'train_cfg.max_iters': iters,
            'train_cfg.val_interval': 100,
            'train_dataloader.batch_size': 2,
            'train_dataloader.dataset.num_scenes': 6,
            'val_dataloader.batch_size': 2,
            'val_dataloader.dataset.num_scenes': 2,
            'test_dataloader.batch_size': 2,
            'test_dataloader.dataset.num_scenes': 4,
            'default_hooks.checkpoint.interval': 5,
            'default_hooks.logger.interval': 1,
            **options,
        }
    )
    return Runner.from_cfg(cfg)


def zero_shot(**changes):
    model = pixelclip(**changes).eval()
    DatasetVocabularyHook().before_test(fake_runner(model, test=CLASSES))
    return model


def slow_mean(model, dataset, count):
    """Return the mean logit of each class, one image at a time, without an offset."""
    means = []
    for i in range(count):
        data = dataset[i]
        batch = dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
        batch = model.data_preprocessor(batch, False)
        with torch.no_grad():
            metas = [batch['data_samples'][0].metainfo]
            logits = model.inference(batch['inputs'], metas)
        means.append([float(channel.mean()) for channel in logits[0]])
    return torch.tensor(means).mean(0)


def zeroed(model):
    model = copy.deepcopy(model)
    head = model.decode_head
    head.set_logit_offset(torch.zeros_like(head.logit_offset))
    return model
