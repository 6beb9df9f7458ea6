from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner.checkpoint import _load_checkpoint
from mmseg.registry import HOOKS
from torch import nn

from mmseg_langseg.apis import run_training
from mmseg_langseg.engine.hooks import FiniteLossHook
from tests.scripts import run_script
from tests.test_engine.bad_pixels import spoil


def checkpoints(work):
    """Return the names of the checkpoints, and check that all their weights are finite."""
    names = sorted(path.name for path in work.glob('*.pth'))
    for name in names:
        state = _load_checkpoint(str(work / name), map_location='cpu')['state_dict']
        assert all(value.isfinite().all() for value in state.values()), name
    return names


def test_nan_in_one_file_stops_the_training_before_it_is_saved(tiny_config, tmp_path):
    work = tmp_path / 'work'
    with pytest.raises(FloatingPointError) as error:
        run_training(spoil(tiny_config, '3.png'), str(work))
    text = str(error.value)
    assert 'Iteration 2' in text and 'decode.loss_ce = nan' in text
    assert 'images/2.png' in text and 'images/3.png' in text and '1.png' not in text
    assert checkpoints(work) == ['iter_1.pth']


def test_a_huge_learning_rate_stops_the_training(tiny_config, tmp_path):
    work = tmp_path / 'work'
    options = {'optim_wrapper.optimizer.lr': 1e30, 'default_hooks.checkpoint.interval': 1}
    with pytest.raises(FloatingPointError, match=r'Iteration 2: .*\.png.*learning rate'):
        run_training(tiny_config, str(work), cfg_options=options)
    assert checkpoints(work) == ['iter_1.pth']


@HOOKS.register_module()
class SpoilWeight(Hook):
    """Simulates an overflow in the optimizer step; the loss of that iteration is still finite."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 1:
            next(runner.model.parameters()).data[0] = torch.inf


def test_weights_that_are_not_finite_are_not_saved(tiny_config, tmp_path):
    work = tmp_path / 'work'
    options = {
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.checkpoint.max_keep_ckpts': 1,
        'custom_hooks': [dict(type='SpoilWeight')],
    }
    with pytest.raises(FloatingPointError, match=r'Iteration 2: .* not finite.*loss = .*\.png'):
        run_training(tiny_config, str(work), cfg_options=options)
    assert checkpoints(work) == ['iter_1.pth']


@pytest.mark.multiprocess
def test_one_of_two_processes_with_a_nan_ends_both(tiny_config, tmp_path):
    """The first batch of the second process has files 1 and 3 of five."""
    work, config = tmp_path / 'work', spoil(tiny_config, '3.png')
    done = run_script('dist_train.sh', config, 2, '--work-dir', work)
    assert done.returncode != 0
    (message,) = [line for line in done.stderr.splitlines() if 'a loss is not finite' in line]
    assert 'Iteration 1' in message
    assert 'images/1.png' in message and 'images/3.png' in message and '2.png' not in message
    assert checkpoints(work) == []


def batch(*files):
    return dict(data_samples=[SimpleNamespace(metainfo=dict(img_path=file)) for file in files])


def test_what_is_no_loss_may_be_nan_and_all_bad_terms_are_seen():
    hook, runner = FiniteLossHook(), SimpleNamespace(iter=6)
    hook.after_train_iter(
        runner, 6, None, dict(loss=torch.tensor(1.0), acc=torch.tensor(torch.nan))
    )
    bad = dict(loss_a=torch.tensor(2.0), loss_b=torch.tensor(torch.inf), loss=torch.tensor(1.0))
    with pytest.raises(FloatingPointError, match=r'7: .*loss_a = 2, loss_b = inf.* a\.jpg'):
        hook.after_train_iter(runner, 6, batch('a.jpg'), bad)


def test_feature_files_are_named():
    hook, data = FiniteLossHook(), batch('a.jpg')
    data['data_samples'][0].metainfo['feature_path'] = 'features/a.npy'
    with pytest.raises(FloatingPointError, match=r'a\.jpg, features/a\.npy'):
        hook.after_train_iter(SimpleNamespace(iter=0), 0, data, dict(loss=torch.tensor(torch.nan)))


def save(model, **optimizer):
    state = dict(state={0: dict(step=1, **optimizer)}, param_groups=[])
    saved = dict(meta=dict(iter=3), state_dict=model.state_dict(), optimizer=state)
    FiniteLossHook().before_save_checkpoint(SimpleNamespace(model=model), saved)


def test_infinite_buffers_are_saved_and_bad_weights_and_optimizer_states_are_not():
    model = nn.Linear(2, 1)
    model.register_buffer('mask', torch.tensor([0.0, -torch.inf]))
    save(model, exp_avg=torch.zeros(1))
    with pytest.raises(FloatingPointError, match=r"Iteration 3: 1 .*'optimizer.state.0.exp_avg'"):
        save(model, exp_avg=torch.tensor([torch.inf]))
    model.mask[0] = torch.nan
    with pytest.raises(FloatingPointError, match="'mask'"):
        save(model)
    model.mask[0] = 0
    model.weight.data[0, 0] = torch.inf
    with pytest.raises(FloatingPointError, match="'weight'"):
        save(model)
