"""Trainings that are ended by signals, and what their resumption computes."""

import multiprocessing
import os
import signal
import subprocess
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner.checkpoint import _load_checkpoint
from mmseg.registry import HOOKS

from mmseg_langseg.apis import run_training
from mmseg_langseg.engine import TerminationHook
from tests.test_engine.runners import CONFIG
from tests.tiny import pixelclip_config


@HOOKS.register_module()
class TerminateJob(Hook):
    """Sends SIGTERM to this process and its data loader workers, as Slurm does."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 1:
            workers = [worker.pid for worker in multiprocessing.active_children()]
            subprocess.run(['kill', *map(str, [os.getpid(), *workers])], check=True)


@HOOKS.register_module()
class TerminateInValidation(Hook):
    def before_val(self, runner):
        os.kill(os.getpid(), signal.SIGTERM)


def train(work, hook=None, workers=0, resume=False, seed=None):
    """Train PixelCLIP with random views of the loader and of the device."""
    cfg = Config.fromfile(CONFIG)
    cfg.model = pixelclip_config()
    cfg.model['data_preprocessor'] = dict(type='CLIPDataPreProcessor', strong_view={})
    cfg.custom_hooks = [dict(type='DatasetVocabularyHook'), *([dict(type=hook)] if hook else [])]
    cfg.experiment_name = f'{work.name}_{resume}_{hook}'
    steps = [step for step in cfg.train_pipeline if step.type != 'StrongView']
    options = {
        'train_cfg.max_iters': 4,
        'train_cfg.val_interval': 3,
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': workers,
        'train_dataloader.dataset.num_scenes': 5,
        'train_dataloader.dataset.pipeline': steps,
        'val_dataloader.batch_size': 1,
        'val_dataloader.dataset.num_scenes': 2,
        'default_hooks.checkpoint.interval': 100,
        'default_hooks.logger.interval': 1,
    }
    cfg.randomness = dict(seed=seed)
    cfg.merge_from_dict(options)
    return run_training(cfg, work_dir=str(work), resume=resume)


def stop(*args, **kwargs):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        train(*args, **kwargs)
    assert ended.value.code == 75
    assert signal.getsignal(signal.SIGTERM) is before
    for worker in multiprocessing.active_children():
        worker.terminate()
        worker.join(4)
        assert worker.exitcode == 0


def content(checkpoint):
    return _load_checkpoint(str(checkpoint), map_location='cpu')


def test_sigterm_leaves_a_checkpoint_and_resuming_equals_an_undisturbed_training(tmp_path):
    """In an iteration with two loader workers, then in a validation without workers."""
    work, whole = tmp_path / 'work', tmp_path / 'whole'
    stop(work, hook='TerminateJob', workers=2)
    assert [path.name for path in work.glob('*.pth')] == ['iter_2.pth']
    stop(work, hook='TerminateInValidation', resume=True)
    assert (work / 'iter_3.pth').is_file() and not (work / 'iter_4.pth').exists()
    train(work, resume=True)
    resumed = content(work / 'iter_4.pth')

    train(whole, seed=resumed['meta']['seed'])
    undisturbed = content(whole / 'iter_4.pth')
    for key in ('state_dict', 'optimizer'):
        torch.testing.assert_close(resumed[key], undisturbed[key], rtol=0, atol=0)
    losses, other = (
        saved['message_hub']['log_scalars']['train/loss'].data[0].tolist()
        for saved in (resumed, undisturbed)
    )
    assert losses == other and len(set(losses)) == 4


def test_accumulated_gradients_are_applied_before_a_stop():
    weight = torch.nn.Parameter(torch.ones(1))
    wrapper = OptimWrapper(torch.optim.SGD([weight], lr=0.1), accumulative_counts=2)
    logger = MMLogger.get_instance('stop')
    runner = SimpleNamespace(optim_wrapper=wrapper, hooks=[], iter=0, logger=logger)
    hook = TerminationHook()
    hook.requested = True
    wrapper.update_params(weight.sum())
    hook.after_train_iter(runner, 0)
    assert weight.item() == 1
    wrapper.update_params(weight.sum())
    with pytest.raises(SystemExit):
        hook.after_train_iter(runner, 1)
    assert weight.item() < 1
