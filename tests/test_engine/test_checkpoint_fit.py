import pytest
import torch
from mmengine.config import Config

from mmseg_langseg.apis import LangSegInferencer, run_test, run_training
from mmseg_langseg.engine.checkpoint_fit import check_checkpoint_fit
from tests.scripts import ROOT, load_script
from tests.tiny import clips4, pixelclip

SYNTHETIC = str(ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py')


@pytest.fixture
def other_layout(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'model': {'backbone.nothing_of_ours': torch.zeros(3)}}, path)
    return str(path)


def test_another_layout_is_an_error_in_test_inferencer_and_training(
    other_layout, tiny_config, tmp_path
):
    message = r"other\.pth' holds no tensors.*keys model.*pixelclip2mmseg"
    with pytest.raises(ValueError, match=message):
        run_test(str(tiny_config), other_layout, str(tmp_path / 'work'))
    unsupervised = load_script('tools/test_unsupervised.py')
    with pytest.raises(ValueError, match=message):
        unsupervised.main([str(tiny_config), other_layout, '--work-dir', str(tmp_path / 'work')])
    with pytest.raises(ValueError, match=message):
        LangSegInferencer(SYNTHETIC, other_layout, device='cpu')
    cfg = Config.fromfile(tiny_config)
    cfg.load_from = other_layout
    with pytest.raises(ValueError, match=message):
        run_training(cfg, str(tmp_path / 'work'))


def test_a_config_without_the_hook_is_checked_too(other_layout, tiny_config, tmp_path):
    cfg = Config.fromfile(tiny_config)
    del cfg.default_hooks.checkpoint_fit
    with pytest.raises(ValueError, match=r'other\.pth'):
        run_test(cfg, other_layout, str(tmp_path / 'work'))


def test_names_that_do_not_fit_are_counted_and_shown():
    with pytest.raises(
        ValueError, match=r"None of the 1 tensors of 'a\.pth'.*has b\.weight.*model"
    ):
        check_checkpoint_fit(torch.nn.Linear(2, 2), {'b.weight': torch.ones(1)}, 'a.pth', False)


@pytest.mark.parametrize('content', [[1], torch.ones(1), {}, {'state_dict': 3}, {'a': 3}, None])
def test_no_state_dict(content):
    with pytest.raises(ValueError, match=r"a\.pth' holds no"):
        check_checkpoint_fit(torch.nn.Linear(2, 2), content, 'a.pth', False)


@pytest.mark.parametrize('build', [pixelclip, clips4])
def test_what_training_changes_is_enough(build):
    model = build()
    trained = {k: v for k, v in model.named_parameters() if v.requires_grad}
    assert 0 < len(trained) < len(model.state_dict())
    assert check_checkpoint_fit(model, {'state_dict': trained}, 'a', True)[0] == len(trained)
    name = list(trained)[-1]
    with pytest.raises(ValueError, match=rf"'a' lacks 1 of the {len(trained)} tensors.*{name}"):
        rest = {k: v for k, v in trained.items() if k != name}
        check_checkpoint_fit(model, rest, 'a', True)


def test_another_head_starts_a_training_but_is_not_tested(tiny_config, tmp_path):
    work = tmp_path / 'work'
    runner = run_training(str(tiny_config), str(work))
    backbone = {k: v for k, v in runner.model.state_dict().items() if k.startswith('backbone.')}
    backbone['decode_head.conv_seg.weight'] = torch.zeros(7, 4, 1, 1)
    torch.save({'state_dict': backbone}, tmp_path / 'backbone.pth')
    with pytest.raises(
        ValueError, match=r'lacks \d+ .*shape \(7, 4, 1, 1\), expected \(2, 4, 1, 1'
    ):
        run_test(str(tiny_config), str(tmp_path / 'backbone.pth'), str(work))
    cfg = Config.fromfile(tiny_config)
    cfg.load_from = str(tmp_path / 'backbone.pth')
    run_training(cfg, str(tmp_path / 'next'))
    log = '\n'.join(path.read_text() for path in (tmp_path / 'next').rglob('*.log'))
    assert f'{len(backbone) - 1} of the {len(backbone)} tensors' in log


def test_an_auxiliary_head_is_not_needed():
    model = torch.nn.ModuleDict(dict(a=torch.nn.Linear(1, 1), auxiliary_head=torch.nn.Linear(1, 1)))
    weights = {k: v for k, v in model.state_dict().items() if k.startswith('a.')}
    assert check_checkpoint_fit(model, weights, 'a.pth', True) == (2, 2)


def test_wrapped_models_and_names():
    from mmseg.models import SegTTAModel

    model = torch.nn.Linear(1, 1)
    state = {f'module.{k}': v for k, v in model.state_dict().items()}
    tta = SegTTAModel.__new__(SegTTAModel)
    torch.nn.Module.__init__(tta)
    tta.module = model
    assert check_checkpoint_fit(tta, state, 'a.pth', True) == (2, 2)


@pytest.mark.parametrize('content', [b'', b'hello', None])
def test_resuming_from_a_broken_file_names_it(tiny_config, tmp_path, content):
    if content is None:
        torch.save({'meta': {}}, tmp_path / 'broken.pth')
        content = (tmp_path / 'broken.pth').read_bytes()[:300]
    (tmp_path / 'broken.pth').write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.pth' is .*checkpoint"):
        run_training(str(tiny_config), str(tmp_path), resume=str(tmp_path / 'broken.pth'))


def test_an_empty_checkpoint_is_called_empty():
    with pytest.raises(ValueError, match=r"'a\.pth' holds no tensors: it is empty\. Give"):
        check_checkpoint_fit(torch.nn.Linear(2, 2), {}, 'a.pth', False)
