import importlib.util
from pathlib import Path

import pytest
import torch
from mmseg.registry import MODELS

import mmseg_langseg  # noqa: F401
from tests import golden

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'convert_pixelclip.py'
    spec = importlib.util.spec_from_file_location('convert_pixelclip', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def official(tower):
    """A checkpoint with the official keys."""
    convnext = tower == 'convnext'
    state_dict = golden.convnext_state_dict if convnext else golden.vit_state_dict
    model = {f'sem_seg_head.predictor.clip_model.{k}': v for k, v in state_dict().items()}
    model['sem_seg_head.predictor.prompt_tokens'] = golden.prompt_tokens(convnext)
    model |= {f'head.{k}': v for k, v in golden.head_state_dict(convnext).items()}
    model |= {f'teacher_encoder.{k}': v for k, v in state_dict(teacher=True).items()}
    model['teacher_encoder.logit_scale'] = torch.tensor(1.0)
    model['dino.cls_token'] = torch.zeros(3)
    return model


def changed(tower):
    state = golden.convnext_state_dict() if tower == 'convnext' else golden.vit_state_dict()
    return {
        k: v
        for k, v in state.items()
        if k.startswith('visual.')
        and (tower == 'convnext' or '.attn.' in k or k == 'visual.positional_embedding')
    }


def run(tool, tmp_path, tower, *options):
    source, target = tmp_path / 'official.pth', tmp_path / 'new' / 'ours.pth'
    torch.save({'model': official(tower), 'iteration': 9999, 'optimizer': {}}, source)
    tool.main([str(source), str(target), *options])
    assert [p.name for p in target.parent.iterdir()] == ['ours.pth']
    return torch.load(target, weights_only=True)['state_dict']


@pytest.mark.parametrize('tower', ['vit', 'convnext'])
def test_holds_exactly_what_training_changed(tool, tmp_path, tower):
    convnext = tower == 'convnext'
    expected = {f'backbone.{k}': v for k, v in changed(tower).items()}
    assert len(expected) == (3 * 4 + 1 if tower == 'vit' else len(expected))
    expected['decode_head.prompts.tokens'] = golden.prompt_tokens(convnext)
    for key, value in golden.head_state_dict(convnext).items():
        expected[f'decode_head.mask_decoder.{key}'] = value
    state = run(tool, tmp_path, tower)
    assert set(state) == set(expected)
    assert all(torch.equal(state[k], v) for k, v in expected.items())


def test_teacher_on_request(tool, tmp_path):
    state = run(tool, tmp_path, 'vit', '--with-teacher')
    teacher = golden.vit_state_dict(teacher=True)
    prefix = 'teacher.module.'
    kept = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    assert set(kept) == set(changed('vit'))
    assert all(torch.equal(v, teacher[k]) for k, v in kept.items())
    assert state['teacher.steps'] > 0


@pytest.mark.parametrize('tower', ['vit', 'convnext'])
def test_result_loads_into_the_model(tool, tmp_path, tower):
    convnext = tower == 'convnext'
    arch = golden.convnext_arch() if convnext else golden.vit_arch()
    state = golden.convnext_state_dict() if convnext else golden.vit_state_dict()
    trained = changed(tower)
    public = {k: v + 1 if k in trained else v for k, v in state.items()}
    torch.save(public, tmp_path / 'public.pt')
    backbone = {'type': 'CLIPTimmTower', 'trainable': 'all'}
    if not convnext:
        backbone = {'type': 'CLIPVisionTransformer', 'trainable': 'attention'}
    head = {
        'type': 'PixelCLIPHead',
        'prompts': {'type': 'ClassPrompts', 'num_clusters': 8},
        'clusterer': {'type': 'SinkhornClusterer'},
    }
    model = MODELS.build(
        {
            'type': 'PixelCLIP',
            'clip': {'arch': arch, 'pretrained': str(tmp_path / 'public.pt')},
            'backbone': backbone,
            'decode_head': head,
            'test_cfg': {'mode': 'whole'},
        }
    )
    converted = run(tool, tmp_path, tower, '--with-teacher')
    missing, unexpected = model.load_state_dict(converted, strict=False)
    assert not unexpected
    assert not [key for key in missing if 'clusterer' not in key]
    own = model.backbone.state_dict() | dict(model.backbone.named_parameters())
    assert all(torch.equal(own[k], v) for k, v in state.items() if k.startswith('visual.'))


def test_bad_input(tool, tmp_path):
    target = str(tmp_path / 'out.pth')
    with pytest.raises(SystemExit, match=r'no file .*none\.pth'):
        tool.main([str(tmp_path / 'none.pth'), target])
    (tmp_path / 'text.pth').write_text('hello')
    with pytest.raises(SystemExit, match='cannot be read'):
        tool.main([str(tmp_path / 'text.pth'), target])
    torch.save({'state_dict': {}}, tmp_path / 'other.pth')
    with pytest.raises(SystemExit, match="no 'model'"):
        tool.main([str(tmp_path / 'other.pth'), target])
    torch.save({'model': {'backbone.x': torch.zeros(1)}}, tmp_path / 'model.pth')
    with pytest.raises(SystemExit, match=r'no official.*backbone\.x'):
        tool.main([str(tmp_path / 'model.pth'), target])
    assert not Path(target).exists()


def test_without_teacher_in_the_checkpoint(tool):
    state = {k: v for k, v in official('vit').items() if not k.startswith('teacher')}
    with pytest.raises(ValueError, match='no teacher'):
        tool.convert(state, with_teacher=True)
