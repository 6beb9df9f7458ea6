"""CLIP-S⁴ on the synthetic dataset: resumed, on two processes, tested with all class names."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner.checkpoint import _load_checkpoint
from mmseg.registry import HOOKS

from mmseg_langseg.apis import run_test, run_training
from tests.scripts import ROOT, run_script

CONFIG = """
_base_ = [{base!r}]
train_dataloader = dict(batch_size=4, dataset=dict(num_scenes=40))
test_dataloader = dict(batch_size=8, dataset=dict(num_scenes=8))
model = dict(decode_head=dict(clusterer=dict(num_clusters=8, momentum=0.5, patience=2)))
custom_hooks = [dict(type='DatasetVocabularyHook'),
                dict(type='MaskClusteringHook', interval=3, init_batches=2)]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
train_cfg = dict(max_iters=4, val_interval=100)
"""
STOPPED = """
_base_ = [{base!r}]
custom_imports = dict(imports=['mmseg_langseg', 'tests.test_engine.terminate_second_process'])
custom_hooks = [dict(type='DatasetVocabularyHook'),
                dict(type='MaskClusteringHook', interval=3, init_batches=2),
                dict(type='TerminateSecondProcess')]
default_hooks = dict(checkpoint=dict(interval=100))
train_dataloader = dict(batch_size=2)
"""
STATE = ('clusterer.prototypes', 'clusterer.idle', 'clusterer.steps', 'image_mean.value')


class Killed(Exception):
    pass


@HOOKS.register_module()
class KillAfterThree(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 3:
            raise Killed


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp('config') / 'clips4.py'
    base = ROOT / 'configs' / 'clips4' / 'resnet_synthetic.py'
    path.write_text(CONFIG.format(base=str(base)), encoding='utf-8')
    return path


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    """Uninterrupted run of four iterations."""
    work = tmp_path_factory.mktemp('whole')
    train(config, work)
    return work / 'iter_4.pth'


def train(config, work, resume=False, hooks=(), workers=0):
    cfg = Config.fromfile(config)
    cfg.train_dataloader.num_workers = workers
    cfg.experiment_name = f'{work.name}_{resume}'
    cfg.custom_hooks = [*cfg.custom_hooks, *hooks]
    return run_training(cfg, work_dir=str(work), resume=resume)


def outcome(checkpoint):
    """Return the logged values of all iterations, and the state of the head."""
    saved = _load_checkpoint(str(checkpoint), map_location='cpu')
    history = saved['message_hub']['log_scalars']
    losses = {name: torch.tensor(history[f'train/{name}'].data[0]) for name in LOSSES}
    state = {name: saved['state_dict'][f'decode_head.{name}'] for name in STATE}
    return losses, state


LOSSES = (
    *('loss', 'loss_contrast', 'loss_embedding', 'loss_semantic'),
    *('segments', 'unknown_share', 'cosine_known', 'cosine_unknown'),
)


def test_a_killed_run_resumes_with_the_same_losses_and_prototypes(config, whole, tmp_path):
    losses, state = outcome(whole)
    assert all(len(values) == 4 and values.isfinite().all() for values in losses.values())
    assert (losses['unknown_share'] > 0).all()
    # Some prototypes died and were reinitialized, which must be reproduced too.
    assert int(state['clusterer.steps']) == 4 and state['clusterer.idle'].max() < 2

    with pytest.raises(Killed):
        train(config, tmp_path, hooks=[dict(type='KillAfterThree')])
    assert not (tmp_path / 'iter_4.pth').exists()
    _, halfway = outcome(tmp_path / 'iter_2.pth')
    assert not torch.equal(halfway['clusterer.prototypes'], state['clusterer.prototypes'])
    train(config, tmp_path, resume=True, workers=1)
    resumed_losses, resumed_state = outcome(tmp_path / 'iter_4.pth')
    torch.testing.assert_close(resumed_losses, losses, rtol=0, atol=0)
    torch.testing.assert_close(resumed_state, state, rtol=0, atol=0)


@pytest.mark.multiprocess
def test_two_processes_train_the_same_and_stop_together(config, whole, tmp_path):
    """SIGTERM reaches one of them in the last iteration: both stop with a checkpoint."""
    stopped = tmp_path / 'stopped.py'
    stopped.write_text(STOPPED.format(base=str(config)), encoding='utf-8')
    done = run_script('dist_train.sh', stopped, 2, '--work-dir', tmp_path, cwd=tmp_path)
    assert done.returncode == 75, done.stderr[-3000:]
    assert 'Stopped by SIGTERM after iteration 4' in done.stdout + done.stderr
    assert (tmp_path / 'left').exists()  # not ended by torchrun once the first process had left
    losses, state = outcome(tmp_path / 'iter_4.pth')
    expected_losses, expected = outcome(whole)
    torch.testing.assert_close(state, expected, rtol=1e-4, atol=1e-5)
    # The values of one process would differ: each has other images.
    torch.testing.assert_close(losses, expected_losses, rtol=1e-3, atol=1e-4)


def test_tested_with_all_names_known_and_unknown(config, whole, tmp_path):
    figures = run_test(str(config), str(whole), work_dir=str(tmp_path))
    known, unknown = figures['mIoU_known'], figures['mIoU_unknown']
    assert 0 < known <= 100 and 0 <= unknown <= 100
    harmony = 2 * known * unknown / (known + unknown)
    assert figures['hIoU'] == pytest.approx(harmony, abs=0.02)
    assert figures['mIoU'] == pytest.approx((12 * known + 5 * unknown) / 17, abs=0.02)


def test_known_words_other_than_the_metrics_stop_before_training(config, tmp_path):
    for known, message in (
        ('ring; star', 'the metric counts as unknown: star'),
        ('ring; zebra', 'zebra are not in Synthetic'),
    ):
        cfg = Config.fromfile(config)
        cfg.model.decode_head.known = known
        cfg.custom_hooks.append(dict(type='KillAfterThree'))
        with pytest.raises(ValueError, match=f'{message}.*--known'):
            run_training(cfg, work_dir=str(tmp_path))
    assert not list(tmp_path.glob('*.pth'))


def test_a_test_with_another_split_than_the_training_says_so(config, tmp_path):
    """The checkpoint stores its known class names; ``known`` sets the split of a test."""
    words = 'ring; star'
    options = {'train_cfg.max_iters': 1, 'default_hooks.checkpoint.interval': 1}
    run_training(str(config), work_dir=str(tmp_path / 'work'), cfg_options=options, known=words)
    weights = str(tmp_path / 'work' / 'iter_1.pth')
    assert _load_checkpoint(weights)['meta']['known_words'] == ['ring', 'star']
    for known, is_told in ((None, True), (words, False)):
        work = tmp_path / f'test_{is_told}'
        run_test(str(config), weights, work_dir=str(work), known=known)
        (log,) = work.glob('*/*.log')
        assert ('the metric counts as unknown: star' in log.read_text()) is is_told
