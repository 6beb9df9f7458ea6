"""Failing commands end with a message and a nonzero status; traceback only with --debug."""

import os
import re
import runpy
import subprocess
import sys

import pytest
from mmengine.logging import MMLogger

from tests.ports import free_port
from tests.scripts import ROOT, tool_path

PARTS = {
    'benchmark_components',
    'clip_output',
    'compact_training',
    'locked_text',
    'launch_processes',
    'official_checkout',
    'official_report',
    'official_sides',
    'official_stand_ins',
    'peer_measurement',
    'peer_process',
    'peer_sides',
    'verdict_candidates',
    'verdict_grid',
}  # module imported by other scripts
COMMANDS = sorted(
    path for folder in ('tools', 'demo') for path in (ROOT / folder).rglob('*.py')
    if path.stem not in PARTS
)  # fmt: skip
# Arguments of each command with a missing file or folder.
MISSING = {
    'ablations': ['--work-dir', 'file/work'],
    'benchmark_training': ['gone.py', '--what', 'test'],
    'benchmark_loading': ['--images', '0'],
    'benchmark_official': ['gone'],
    'benchmark_peers': ['gone'],
    'benchmark_reading': ['--folder', 'gone'],
    'benchmark_sam': ['--checkpoint', 'gone.pth', '--images', '1', '--size', '32', '32'],
    'browse_dataset': ['gone.py', 'out.jpg'],
    'browse_masks': ['gone', 'gone', 'out.jpg'],
    'check_image_text_models': ['--models', 'gone', '--out', 'out'],
    'compare': ['gone.py'],
    'ade20k_full': ['gone', 'out'],
    'coco_masks': ['gone.json', 'out'],
    'pascal_context459': ['gone', 'out'],
    'measure_verdict_grid': ['--work-dir', 'file/work'],
    'plot_class_prompts': ['gone.py', '--out', 'out.png'],
    'plot_clusters': ['gone.py', '--out', 'out.png'],
    'pixelclip2mmseg': ['gone.pth', 'out.pth'],
    'eval_all': ['--models', 'gone.py', '--benchmarks', 'voc20', '--out', 'out'],
    'evaluate_clip': ['gone.pth'],
    'export_model': ['gone.py', '--out', 'out'],
    'generate_masks': ['gone', 'out'],
    'generate_masks_ray': ['gone', 'out'],
    'halve_sa1b': ['gone', 'out'],
    'image_demo': ['gone.jpg', 'gone.py', '--texts', 'cat; dog'],
    'precompute_clip_features': ['gone.py', 'out'],
    'quickstart': ['--config', 'gone.py'],
    'study_verdict': ['--work-dir', 'gone'],
    'teach_words': ['gone.pth', 'out.pth', '--pool-size', '1'],
    'test': ['gone.py'],
    'test_unsupervised': ['gone.py'],
    'train': ['gone.py'],
    'train_clip': ['--out', 'file/clip.pth', '--steps', '1'],
    'train_verdict_grid': ['--work-dir', 'file/work'],
}


@pytest.fixture
def call(monkeypatch, tmp_path, capsys):
    """Run a command as a script in an empty folder; return its exit status and output."""

    def run(path, *args):
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(path.parent)
        monkeypatch.setenv('LOCAL_RANK', '0')
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(path), run_name='__main__')
        # Python prints a code that is not a number and exits with status 1.
        code, said = ended.value.code, capsys.readouterr()
        if not isinstance(code, int):
            code, said = 1, f'{said.err}{code}'
        else:
            said = said.err or said.out
        return code, said

    (tmp_path / 'file').write_text('')
    # Loggers keep the streams of the test that created them.
    MMLogger._instance_dict.clear()
    yield run
    MMLogger._instance_dict.clear()


EACH = pytest.mark.parametrize(
    'path',
    [pytest.param(path, id=path.stem) for path in COMMANDS],
)


def test_every_command_is_walked():
    assert {path.stem for path in COMMANDS} == set(MISSING)


@EACH
def test_every_command_has_debug(path, call):
    code, said = call(path, '--help')
    assert code == 0 and '--debug' in said


@EACH
def test_a_missing_file_ends_in_a_message(path, call):
    code, said = call(path, *MISSING[path.stem])
    assert code != 0
    line = said.strip().splitlines()[-1]
    assert re.match(rf'{path.stem}(\.py: error)?: \S', line), said
    assert 'Traceback' not in said


CONFIG = ROOT / 'configs' / 'clips4' / 'resnet_synthetic.py'
NO_POSITIONAL = (
    'ablations',
    'quickstart',
    'benchmark_sam',
    'benchmark_loading',
    'benchmark_reading',
)


@pytest.mark.parametrize(
    ('name', 'option', 'value'),
    [
        *(('test_unsupervised', f'--{option}', value)
          for option in ('memory-images', 'neighbors', 'clusters', 'points')
          for value in ('0', '-1', 'x')),
        ('test_unsupervised', '--seed', '-1'),
        ('test_unsupervised', '--seed', str(2**32)),
        ('quickstart', '--iterations', '0'),
        ('quickstart', '--test-scenes', '-2'),
        ('benchmark_training', '--steps', '0'),
        ('benchmark_training', '--classes', '0'),
        ('benchmark_sam', '--keep', '0'),
        ('benchmark_sam', '--repeats', '0'),
        ('benchmark_loading', '--masks', '0'),
        ('benchmark_official', '--masks', '0'),
        ('benchmark_peers', '--templates', '81'),
        ('compare', '--clip-seeds', '-1'),
        ('ablations', '--clip-seeds', 'x'),
        ('ablations', '--tables', '7'),
        ('ablations', '--split', 'nowhere'),
        ('compare', '--split', 'nowhere'),
        ('evaluate_clip', '--scenes', '0'),
        ('teach_words', '--lr', 'nan'),
        ('test', '--wait-time', '-1'),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_at_once(name, option, value, call):
    positional = [] if name in NO_POSITIONAL else ['x.py']
    code, said = call(tool_path(name), *positional, f'{option}={value}')
    assert code == 2 and f'argument {option}:' in said and value in said


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['model.bakcbone.x=1'], r"does not match.*'bakcbone'. Did you mean 'backbone'"),
        (['train_cfg=3', 'train_cfg.x=1'], None),
        (['param_scheduler.9.end=1'], r'list of 1|list of'),
        (['train_dataloader.batch_size.x=1'], r'batch_size.*has no keys'),
        (['model.backbone.type=NoSuchTower'], r'NoSuchTower is not in the mmseg::model registry'),
        (['model.backbone.no_such=1'], r'unexpected keyword argument .no_such.*--debug'),
        (['model.decode_head.known=cat<end_of_text>'], r'end_of_text'),
        (['train_dataloader.dataset.split=nowhere'], r"unknown split 'nowhere'"),
        (['model.decode_head'], r'expected KEY=VALUE'),
        (['model.decode_head.known=[a,b'], r'brackets do not match'),
    ],
)
def test_errors_of_a_config_end_in_their_message(options, message, call, tmp_path):
    work = ['--work-dir', tmp_path / 'work']
    code, said = call(tool_path('train'), CONFIG, *work, '--cfg-options', *options)
    assert code in (1, 2) and 'Traceback' not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith('train') and re.search(message or '.', last), said


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('model = dict(', r"config.py' cannot be read: .*line 1"),
        ('x = 1 / 0', r"config.py' cannot be read: ZeroDivisionError"),
        ("_base_ = './gone.py'", r"config.py' cannot be read: .*gone.py"),
        ("custom_imports = dict(imports=['no_such_module'])", r'cannot be read: .*no_such_module'),
        ('', r'config.py cannot train: it has no train_dataloader'),
    ],
)
def test_broken_config_files_are_named(content, message, call, tmp_path):
    (tmp_path / 'config.py').write_text(content)
    code, said = call(tool_path('train'), tmp_path / 'config.py')
    assert code == 1 and 'Traceback' not in said
    assert len(said.strip().splitlines()) == 1 and re.search(message, said), said


def test_debug_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['train.py', 'gone.py', '--debug'])
    with pytest.raises(FileNotFoundError, match=r'gone\.py'):
        runpy.run_path(str(tool_path('train')), run_name='__main__')


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('train', ['--work-dir', 'file'], "'file' is a file"),
        ('train', ['--work-dir', 'file/below'], "'file' is a file"),
        ('test', ['none', '--out', 'file'], "--out 'file'"),
        ('test', ['none', '--show-dir', 'file/x'], "--show-dir 'file/x'"),
    ],
)
def test_files_instead_of_folders_are_named(name, options, message, call):
    code, said = call(tool_path(name), CONFIG, *options)
    assert code == 1 and message in said and 'Traceback' not in said


FAILS_ON_ONE = """
import torch.distributed as dist

def fail():
    raise ValueError('rank 1 has bad data')

dist.init_process_group('gloo')
if dist.get_rank() == 1:
    from mmseg_langseg.apis.command_line import run_command
    run_command(fail)
dist.barrier()
"""


@pytest.mark.multiprocess
def test_an_error_on_one_process_ends_the_launch(tmp_path):
    """Otherwise the other process would wait for half an hour."""
    script = tmp_path / 'fails.py'
    script.write_text(FAILS_ON_ONE)
    launch = ['-m', 'torch.distributed.run', '--nproc-per-node=2', f'--master-port={free_port()}']
    env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    done = subprocess.run(
        [sys.executable, *launch, str(script)],
        env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode != 0
    assert 'fails: rank 1 has bad data' in done.stderr
