import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from PIL import Image

import mmseg_langseg  # noqa: F401
from tests import golden
from tests.configs import load
from tests.scripts import load_script
from tests.tiny import CONV, VIT, pixelclip

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/model_converters/pixelclip2mmseg.py')


def official(tower):
    """Checkpoint with the official keys."""
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
    model.load_state_dict(run(tool, tmp_path, tower, '--with-teacher'), strict=True)
    own = model.backbone.state_dict() | dict(model.backbone.named_parameters())
    assert all(torch.equal(own[k], v) for k, v in state.items() if k.startswith('visual.'))


@pytest.mark.parametrize('tower', ['vit', 'convnext'])
def test_result_without_a_teacher_is_complete_and_the_teacher_starts_over(tool, tmp_path, tower):
    model = pixelclip(arch=VIT if tower == 'vit' else CONV)
    model.teacher.update_parameters(model.backbone)
    state = {k: v + 1 if v.is_floating_point() else v for k, v in model.state_dict().items()}
    state = {k: v for k, v in state.items() if 'teacher' not in k and 'usage' not in k}
    model.decode_head.clusterer.usage += 1
    model.load_state_dict(state, strict=True)
    assert model.teacher.steps == 0 and not model.decode_head.clusterer.usage.any()
    model.teacher.update_parameters(model.backbone)
    pairs = zip(model.teacher.module.parameters(), model.backbone.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_part_of_a_teacher_is_still_an_error():
    model = pixelclip()
    state = model.state_dict()
    del state['teacher.module.visual.positional_embedding']
    with pytest.raises(RuntimeError, match=r'teacher\.module\.visual\.positional_embedding'):
        model.load_state_dict(state, strict=True)


def run_script(script, *arguments, cwd):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    return subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_the_two_commands_of_the_page(tool, tmp_path):
    """Convert, then test: keys that may be missing are not reported like errors."""
    page = (ROOT / 'configs/pixelclip/README.md').read_text(encoding='utf-8')
    convert, test = re.findall(
        r'^python (tools/\S+)(?: configs/\S+\.py)? .*pixelclip_vit-b16.pth(?: --benchmark \w+)?$',
        page,
        re.M,
    )
    torch.save({'model': official('vit')}, tmp_path / 'official.pth')
    torch.save(golden.vit_state_dict(), tmp_path / 'public.pt')
    assert convert == 'tools/model_converters/pixelclip2mmseg.py'
    tool.main([str(tmp_path / 'official.pth'), str(tmp_path / 'ours.pth')])

    config = load('pixelclip/vit-b16_coco.py', 'pascal_voc20')
    config.model.clip = dict(arch=golden.vit_arch(), pretrained=str(tmp_path / 'public.pt'))
    config.model.decode_head.prompts.num_clusters = len(golden.prompt_tokens())
    config.model.decode_head.text_encoder.cache_dir = None
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    config.test_dataloader.dataset.data_root = 'voc'
    config.dump(tmp_path / 'config.py')
    for folder, shape in {'JPEGImages': (40, 60, 3), 'SegmentationClass': (40, 60)}.items():
        (tmp_path / 'voc' / folder).mkdir(parents=True)
        suffix = 'jpg' if len(shape) == 3 else 'png'
        Image.fromarray(np.ones(shape, np.uint8)).save(tmp_path / 'voc' / folder / f'a.{suffix}')
    names = tmp_path / 'voc/ImageSets/Segmentation/val.txt'
    names.parent.mkdir(parents=True)
    names.write_text('a\n')
    done = run_script(test, 'config.py', 'ours.pth', '--work-dir', 'out', cwd=tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode == 0 and 'mIoU' in output, output
    assert 'ours.pth' in output
    for alarm in ('missing keys', 'unexpected key', 'size mismatch', 'do not match'):
        assert alarm not in output, output


def refuse(tool, match, *arguments):
    with pytest.raises((ValueError, FileNotFoundError), match=match):
        tool.main([str(argument) for argument in arguments])


def test_bad_input(tool, tmp_path):
    target = tmp_path / 'out.pth'
    refuse(tool, r'no checkpoint file .*none\.pth', tmp_path / 'none.pth', target)
    (tmp_path / 'text.pth').write_text('hello')
    refuse(tool, r'text\.pth.* is not a checkpoint', tmp_path / 'text.pth', target)
    torch.save({'state_dict': {}}, tmp_path / 'other.pth')
    refuse(tool, "no 'model'", tmp_path / 'other.pth', target)
    torch.save({'model': {'backbone.x': torch.zeros(1)}}, tmp_path / 'model.pth')
    refuse(tool, r'not an official.*backbone\.x', tmp_path / 'model.pth', target)
    assert not target.exists()


class Marker:
    """Creates a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_is_data_and_runs_no_code(tool, tmp_path):
    marker = tmp_path / 'marker'
    torch.save({'model': official('vit'), 'more': Marker(marker)}, tmp_path / 'hostile.pth')
    refuse(tool, r'hostile\.pth', tmp_path / 'hostile.pth', tmp_path / 'out.pth')
    assert not marker.exists()
    torch.load(tmp_path / 'hostile.pth', weights_only=False)
    assert marker.exists()  # the attack works with plain unpickling


def test_the_input_is_not_written_over(tool, tmp_path):
    source = tmp_path / 'a.pth'
    torch.save({'model': official('vit')}, source)
    before = source.read_bytes()
    (tmp_path / 'link.pth').symlink_to(source)
    refuse(tool, 'is the input', source, source)
    refuse(tool, 'is the input', source, tmp_path / 'link.pth')
    assert source.read_bytes() == before
    photo = tmp_path / 'photo.png'
    photo.write_bytes(b'mine')
    with pytest.raises(FileExistsError, match=r'photo\.png.*nothing was written'):
        tool.main([str(source), str(photo)])
    assert photo.read_bytes() == b'mine'


def test_without_teacher_in_the_checkpoint(tool):
    state = {k: v for k, v in official('vit').items() if not k.startswith('teacher')}
    with pytest.raises(ValueError, match='no teacher'):
        tool.convert(state, with_teacher=True)
