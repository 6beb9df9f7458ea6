import pytest
import torch
from torch import nn

from mmseg_langseg.models.utils import check_checkpoint_fits


@pytest.fixture
def model():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    model[0].requires_grad_(False)
    return model


def test_all_that_is_trained_is_enough(model):
    trained = {key: value for key, value in model.state_dict().items() if key.startswith('1.')}
    check_checkpoint_fits(model, {'state_dict': trained, 'meta': {}}, 'a.pth')
    check_checkpoint_fits(model, {f'module.{key}': value for key, value in trained.items()}, 'a')


@pytest.mark.parametrize('whole', [True, False])
def test_another_layout_is_refused(model, whole):
    content = {'model': {'backbone.weight': torch.zeros(3)}}
    with pytest.raises(
        ValueError, match=r"None of the 1 entries of 'a\.pth' \(model\).*Sequential"
    ):
        check_checkpoint_fits(model, content, 'a.pth', whole)


@pytest.mark.parametrize('whole', [True, False])
def test_names_alone_are_not_enough(model, whole):
    state = {key: torch.zeros(7) for key in model.state_dict()}
    with pytest.raises(ValueError, match='nothing was loaded'):
        check_checkpoint_fits(model, state, 'a.pth', whole)


def test_a_missing_or_misshapen_trained_tensor_is_refused(model):
    state = model.state_dict()
    del state['1.bias']
    with pytest.raises(ValueError, match=r"'a\.pth' lacks 1 of the 2 tensors.*\(1\.bias\)"):
        check_checkpoint_fits(model, state, 'a.pth')
    check_checkpoint_fits(model, state, 'a.pth', whole=False)
    state['1.bias'] = torch.zeros(5)
    with pytest.raises(ValueError, match=r'lacks 1 of the 2.*another shape'):
        check_checkpoint_fits(model, state, 'a.pth')


@pytest.mark.parametrize('content', [[], 3, {'state_dict': [1]}])
def test_other_content_is_refused(model, content):
    with pytest.raises(ValueError, match='expected a state dict'):
        check_checkpoint_fits(model, content, 'a.pth')


def test_an_empty_state_dict_is_refused(model):
    with pytest.raises(ValueError, match='None of the 0 entries'):
        check_checkpoint_fits(model, {'state_dict': {}}, 'a.pth')
