import pytest
import torch
from mmengine.runner import load_checkpoint
from torch import nn

from mmseg_langseg.fileio import UnsafeFileError, data_only_loading
from tests.hostile import save_command


@pytest.mark.parametrize('legacy', [False, True])
def test_mmengine_reads_data_only_within(tmp_path, legacy):
    marker = tmp_path / 'RAN'
    path = save_command(tmp_path / 'bad.pth', marker, legacy=legacy)
    with data_only_loading(), pytest.raises(UnsafeFileError, match='system'):
        load_checkpoint(nn.Linear(2, 2), str(path))
    assert not marker.exists()


def test_torch_load_is_itself_again_afterwards(tmp_path):
    original = torch.load
    with pytest.raises(KeyError), data_only_loading():
        assert torch.load is not original
        raise KeyError
    assert torch.load is original


def test_whatever_the_caller_asks_for(tmp_path):
    path = save_command(tmp_path / 'bad.pth', tmp_path / 'RAN')
    with data_only_loading():
        with pytest.raises(UnsafeFileError):
            torch.load(path, weights_only=False)
        with path.open('rb') as file, pytest.raises(UnsafeFileError, match=r'bad\.pth'):
            torch.load(file, 'cpu')
    assert not (tmp_path / 'RAN').exists()


def test_trust_changes_nothing():
    original = torch.load
    with data_only_loading(trust=True):
        assert torch.load is original
