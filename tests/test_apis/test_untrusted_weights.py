"""Untrusted weight files: no code path that loads weights executes code from the file."""

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmseg.registry import MODELS

from mmseg_langseg.apis import LangSegInferencer, run_test, run_training
from mmseg_langseg.datasets.transforms import LoadCLIPFeatures
from mmseg_langseg.masks.generators import DINOMaskGenerator, build_generator
from mmseg_langseg.models.clip_loader import load_clip
from mmseg_langseg.models.text_encoders.embedding_cache import EmbeddingCache
from tests.hostile_weights import Command, Overwriting, write_command
from tests.scripts import ROOT, load_script
from tests.tiny import VIT

SYNTHETIC = str(ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py')
REFUSED = r"hostile\.pth' holds '\w+\.system'"


@pytest.fixture(params=['zip', 'legacy'])
def hostile(tmp_path, request):
    """Checkpoint that contains a command, which must not have run by the end of the test."""
    path, marker = tmp_path / 'hostile.pth', tmp_path / 'ran'
    write_command(path, marker, request.param == 'legacy')
    yield path
    assert not marker.exists()


def run_tool(path, *args):
    return load_script(path).main([str(arg) for arg in args])


@pytest.mark.parametrize('tool', ['tools/test.py', 'tools/test_unsupervised.py'])
def test_tools_that_test(hostile, tiny_config, tmp_path, tool):
    with pytest.raises(ValueError, match=REFUSED):
        run_tool(tool, tiny_config, hostile, '--work-dir', tmp_path / 'work')


def test_resume_from_a_file(hostile, tiny_config, tmp_path):
    with pytest.raises(ValueError, match=REFUSED):
        run_tool('tools/train.py', tiny_config, '--work-dir', tmp_path, '--resume', hostile)


@pytest.mark.parametrize('config_key', [False, True])
def test_plain_resume(hostile, tiny_config, tmp_path, config_key):
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'iter_2.pth').write_bytes(hostile.read_bytes())
    (work / 'last_checkpoint').write_text(str(work / 'iter_2.pth'))
    how = ['--cfg-options', 'resume=True'] if config_key else ['--resume']
    with pytest.raises(ValueError, match=r"iter_2\.pth' holds '\w+\.system'"):
        run_tool('tools/train.py', tiny_config, '--work-dir', work, *how)


def test_last_checkpoint_that_names_a_file_elsewhere(hostile, tiny_config, tmp_path):
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'last_checkpoint').write_text(str(hostile))
    run_tool('tools/train.py', tiny_config, '--work-dir', work, '--resume')
    assert (work / 'iter_4.pth').is_file()


def test_load_from(hostile, tiny_config, tmp_path):
    cfg = Config.fromfile(tiny_config)
    cfg.load_from = str(hostile)
    with pytest.raises(ValueError, match=REFUSED):
        run_training(cfg, str(tmp_path / 'work'))


def test_inferencer_and_demo(hostile, tmp_path):
    with pytest.raises(ValueError, match=REFUSED):
        LangSegInferencer(SYNTHETIC, str(hostile), device='cpu')
    photo = ROOT / 'docs' / 'images' / 'quickstart.png'
    arguments = ['--texts', 'ring; star', '--out', tmp_path / 'out.png']
    with pytest.raises((SystemExit, ValueError), match=REFUSED):
        run_tool('demo/image_demo.py', photo, SYNTHETIC, hostile, *arguments)


@pytest.mark.parametrize('resume', [False, True])
def test_the_toolboxs_own_runner(hostile, tiny_config, tmp_path, resume):
    """MMSegmentation's tools build its runner from our configs."""
    cfg = Config.fromfile(tiny_config)
    cfg.work_dir = str(tmp_path / 'work')
    if resume:
        (tmp_path / 'work').mkdir()
        (tmp_path / 'work' / 'last_checkpoint').write_text(str(hostile))
        cfg.resume = True
    else:
        cfg.load_from = str(hostile)
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match=REFUSED):
        runner.train()


def test_pretrained_parts(hostile):
    cfg = dict(type='FCNHead', in_channels=4, channels=4, num_classes=2, num_convs=1)
    head = MODELS.build({**cfg, 'init_cfg': dict(type='Pretrained', checkpoint=str(hostile))})
    with pytest.raises(ValueError, match=REFUSED):
        head.init_weights()


def test_mmengines_load_checkpoint(hostile):
    with pytest.raises(ValueError, match=REFUSED):
        load_checkpoint(torch.nn.Linear(1, 1), str(hostile))


@pytest.mark.parametrize(
    'name',
    ['https://localhost:1/hostile.pth', 'torchvision://mine', 'open-mmlab://mine', 'mmcls://mine'],
)
def test_files_in_the_download_cache(hostile, tmp_path, monkeypatch, name):
    from mmseg_langseg.engine import checkpoint_loaders

    cache = tmp_path / 'checkpoints'
    cache.mkdir()
    (cache / 'hostile.pth').write_bytes(hostile.read_bytes())
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    for function in ('get_torchvision_models', 'get_external_models', 'get_mmcls_models'):
        urls = {'mine': 'https://localhost:1/hostile.pth'}
        monkeypatch.setattr(checkpoint_loaders, function, lambda urls=urls: urls)
    with pytest.raises(ValueError, match=REFUSED):
        load_checkpoint(torch.nn.Linear(1, 1), name)


@pytest.mark.parametrize(
    'name', ['weights://x.pth', 'file:/x.pth', 'file://x.pth', 'HTTPS://x.pth', 'S3://x.pth']
)
def test_local_files_whose_names_look_like_addresses(hostile, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_bytes(hostile.read_bytes())
    with pytest.raises(ValueError, match=r"x\.pth' holds '\w+\.system'"):
        load_checkpoint(torch.nn.Linear(1, 1), name)


@pytest.mark.parametrize('name', ['s3://a/x.pth', 'b:s3://a/x.pth', 'petrel://x', 'pavi://x'])
def test_addresses_that_only_mmengines_reader_knows_are_refused(name):
    with pytest.raises(ValueError, match='Download the file'):
        load_checkpoint(torch.nn.Linear(1, 1), name)


def test_every_loader_of_mmengine_has_one_of_ours_before_it():
    loaders = CheckpointLoader._schemes
    ours = [key for key, load in loaders.items() if load.__module__.startswith('mmseg_langseg')]
    addresses = ['x.pth', '/x://y', '']
    for key in loaders:
        addresses += [key.replace(r'(\S+\:)?', prefix) + 'x' for prefix in ('', 'a:')]
    for address in addresses:
        first = next(key for key in loaders if re.match(key, address))
        assert first in ours, address


def test_sam(hostile):
    with pytest.raises(ValueError, match=REFUSED):
        build_generator('sam', model='vit_b', checkpoint=str(hostile))


def test_dino(hostile):
    with pytest.raises((RuntimeError, ValueError), match=REFUSED):
        DINOMaskGenerator('test_vit', checkpoint=str(hostile))


def test_clip_weights(hostile):
    with pytest.raises(ValueError, match=REFUSED):
        load_clip(VIT, hostile)


def test_converter(hostile, tmp_path):
    with pytest.raises((SystemExit, ValueError), match=REFUSED):
        run_tool('tools/model_converters/pixelclip2mmseg.py', hostile, tmp_path / 'out.pth')


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_torchscript_archives(tmp_path):
    path, victim = tmp_path / 'clip.pt', tmp_path / 'victim'
    victim.write_bytes(b'precious')
    torch.jit.save(torch.jit.script(Overwriting(str(victim))), path)
    with pytest.raises(ValueError, match=r'clip\.pt'):
        load_clip(VIT, path)
    with pytest.raises((SystemExit, ValueError), match=r'clip\.pt'):
        run_tool('tools/model_converters/pixelclip2mmseg.py', path, tmp_path / 'out.pth')
    assert victim.read_bytes() == b'precious'


def test_text_cache(hostile, tmp_path):
    cache = EmbeddingCache(tmp_path / 'cache')
    (tmp_path / 'cache').mkdir()
    cache.path({'a': 1}).write_bytes(hostile.read_bytes())
    with pytest.warns(UserWarning, match='rebuilt'):
        assert cache.get({'a': 1}, (1, 2)) is None


def test_features(tmp_path):
    path, marker = tmp_path / 'a.npy', tmp_path / 'ran'
    np.save(path, np.array([Command(marker)], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r'a\.npy'):
        LoadCLIPFeatures().transform(dict(feature_path=str(path)))
    assert not marker.exists()


def test_official_checkpoint_to_convert(hostile, tmp_path):
    with pytest.raises(ValueError, match=REFUSED):
        run_tool('tools/model_converters/pixelclip2mmseg.py', hostile, tmp_path / 'out.pth')


def test_configs_in_old_checkpoints_are_not_run(tiny_config, tmp_path):
    """MMEngine executes ``meta['config']`` of a checkpoint that it resumes from."""
    work, marker = tmp_path / 'work', tmp_path / 'ran'
    run_training(str(tiny_config), str(work))
    content = torch.load(work / 'iter_2.pth', weights_only=False)
    content['meta']['config'] = f'import os\nos.system("touch {marker}")'
    torch.save(content, work / 'iter_2.pth')
    run_training(str(tiny_config), str(tmp_path / 'other'), resume=str(work / 'iter_2.pth'))
    assert not marker.exists()


def test_the_switch_trusts_the_given_file(tiny_config, tmp_path):
    work, marker = tmp_path / 'work', tmp_path / 'ran'
    run_training(str(tiny_config), str(work))
    own = torch.load(work / 'iter_4.pth', weights_only=False)
    write_command(tmp_path / 'own.pth', marker, **own)
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        run_test(str(tiny_config), str(tmp_path / 'own.pth'), str(work))
    assert not marker.exists()
    trusted = (tmp_path / 'own.pth', '--trust-checkpoint')
    run_tool('tools/test.py', tiny_config, *trusted, '--work-dir', work)
    assert marker.exists()
