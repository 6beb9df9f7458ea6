import pytest
import torch

from mmseg_langseg.apis import run_test, run_training


@pytest.fixture
def other(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'model': {'backbone.nothing_of_ours': torch.zeros(3)}}, path)
    return str(path)


def test_a_checkpoint_of_another_layout_is_not_tested(tiny_config, tmp_path, other):
    with pytest.raises(ValueError, match=r'other\.pth.*nothing was loaded'):
        run_test(tiny_config, other, str(tmp_path / 'work'))
    with pytest.raises(ValueError, match=r'other\.pth.*nothing was loaded'):
        run_training(tiny_config, str(tmp_path / 'work'), cfg_options={'load_from': other})


def test_a_part_is_enough_to_start_from_and_not_to_test(tiny_config, tmp_path):
    work = tmp_path / 'work'
    run_training(tiny_config, str(work), cfg_options={'train_cfg.max_iters': 2})
    content = torch.load(work / 'iter_2.pth', weights_only=False)
    state = content['state_dict']
    part = {key: value for key, value in state.items() if key.startswith('backbone.')}
    torch.save({'state_dict': part}, tmp_path / 'part.pth')
    short = {'train_cfg.max_iters': 1, 'load_from': str(tmp_path / 'part.pth')}
    run_training(tiny_config, str(tmp_path / 'second'), cfg_options=short)
    with pytest.raises(ValueError, match=r'part\.pth.* lacks .*decode_head'):
        run_test(tiny_config, str(tmp_path / 'part.pth'), str(work))
