"""Training from local and remote tars equals training from the same files."""

import tarfile
from pathlib import Path

import fsspec
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner.checkpoint import _load_checkpoint
from mmseg.registry import HOOKS

from mmseg_langseg.apis import run_training
from tests.test_datasets.unlabeled_folders import write_sample
from tests.tiny import clips4_config, pixelclip_config

RUNTIME = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'default_runtime.py'
PIPELINES = {
    'PixelCLIP': [
        dict(type='LoadUnlabeledImage'),
        dict(type='LoadUnlabeledMasks'),
        dict(type='RandomCrop', crop_size=(16, 24)),
        dict(type='StrongView'),
        dict(type='PackMaskInputs', mask_size=(16, 16)),
    ],
    'CLIPS4': [
        dict(type='LoadUnlabeledImage'),
        dict(type='LoadRegionMap', max_regions=8),
        dict(
            type='AugmentedViews',
            num_views=2,
            transforms=[dict(type='RandomView', crop_size=(32, 32), ratio_range=(0.5, 1.5))],
        ),
        dict(type='PackViews'),
    ],
}


class Killed(Exception):
    pass


@HOOKS.register_module()
class KillInThird(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 2:
            raise Killed


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Three folders of three samples, the tars of them, and these tars in a storage."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    (tmp_path / 'tars').mkdir()
    for folder in 'abc':
        for number in range(3):
            write_sample(tmp_path, f'{folder}/{"1" * (number + 1)}', images='plain', masks='plain')
        with tarfile.open(tmp_path / f'tars/{folder}.tar', 'w') as archive:
            archive.add(tmp_path / 'plain' / folder, '.')
    storage = fsspec.filesystem('memory')
    storage.put(f'{tmp_path}/tars', '/sa1b', recursive=True)
    yield tmp_path
    storage.rm('/sa1b', recursive=True)


def train(method, data_root, work, hooks=(), workers=0, resume=False):
    cfg = Config.fromfile(RUNTIME)
    cfg.model = pixelclip_config() if method == 'PixelCLIP' else clips4_config()
    prefix = dict(img_path='', mask_path='') if method == 'PixelCLIP' else dict(img_path='')
    cfg.train_dataloader = dict(
        batch_size=2,
        num_workers=workers,
        sampler=dict(type='ShardShuffleSampler', num_shards=2, window=3),
        dataset=dict(
            type='UnlabeledMaskDataset',
            data_root=str(data_root),
            data_prefix=prefix,
            on_bad_file='stop',
            pipeline=PIPELINES[method],
        ),
    )
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=5, val_interval=100)
    cfg.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
    cfg.default_hooks.checkpoint.interval = 2
    cfg.default_hooks.logger.interval = 1
    cfg.custom_hooks = list(hooks)
    cfg.experiment_name = f'{work.name}_{resume}'
    cfg.randomness = dict(seed=5)
    run_training(cfg, work_dir=str(work), resume=resume)
    return _load_checkpoint(str(work / 'iter_5.pth'), map_location='cpu')


@pytest.mark.parametrize('method', ['PixelCLIP', 'CLIPS4'])
def test_killed_and_resumed_from_tars_equals_an_undisturbed_training_from_files(root, method):
    """With a loader worker from a local tar, resumed within the first epoch from a remote one."""
    whole = train(method, root / 'plain', root / 'whole')
    with pytest.raises(Killed):
        train(method, f'tar://{root}/tars', root / 'work', [dict(type='KillInThird')], workers=1)
    resumed = train(method, 'tar+memory://sa1b', root / 'work', resume=True)
    for key in ('state_dict', 'optimizer'):
        torch.testing.assert_close(resumed[key], whole[key], rtol=0, atol=0)
    losses, others = (
        saved['message_hub']['log_scalars']['train/loss'].data[0].tolist()
        for saved in (resumed, whole)
    )
    assert losses == others
