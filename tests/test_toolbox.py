import importlib.metadata
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from mmengine.logging import print_log

from mmseg_langseg import _toolbox

ROOT = Path(__file__).resolve().parents[1]
# Runs scripts in a Python environment without the MMSegmentation stack.
MISSING = """
import os, runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {blocked!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Missing())
"""
# Loads scripts in it.
WITHOUT_TOOLBOX = (
    MISSING
    + """
for script in sys.argv[1:]:
    sys.path[0] = os.path.dirname(script)
    try:
        runpy.run_path(script)
    except ImportError as error:
        print(type(error).__name__, error)
    else:
        print('no error:', script)
"""
)


def python(code, *args):
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    return subprocess.run(
        [sys.executable, '-c', code, *args], env=env, capture_output=True, text=True, timeout=120
    )


@pytest.mark.multiprocess
def test_import_prints_nothing():
    done = python('import mmseg_langseg')
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


@pytest.mark.multiprocess
@pytest.mark.parametrize('blocked', [('mmengine', 'mmcv', 'mmseg'), ('mmcv',), ('mmseg',)])
def test_without_the_toolbox_every_script_names_the_extras(blocked, tmp_path):
    library = tmp_path / 'library.py'
    library.write_text('import mmseg_langseg')
    scripts = [str(library)]
    if len(blocked) == 3:
        scripts += map(str, our_scripts())
        assert len(scripts) > 15
    done = python(WITHOUT_TOOLBOX.format(blocked=blocked), *scripts)
    lines = done.stdout.splitlines()
    assert len(lines) == len(scripts), done.stdout + done.stderr
    for script, line in zip(scripts, lines, strict=True):
        assert line.startswith('ImportError mmseg_langseg needs MMSegmentation'), (script, line)
        for part in ('mmseg_langseg[maintained]', '.[classic]', f"No module named '{blocked[0]}'"):
            assert part in line, (script, line)


def our_scripts():
    found = sorted([*ROOT.glob('tools/**/*.py'), *ROOT.glob('demo/*.py')])
    # The processes of other packages must not import this one.
    others = ('official_sides', 'peer_measurement', 'peer_sides')
    return [p for p in found if 'mmseg_langseg' in p.read_text() and p.stem not in others]


def test_every_script_is_known_as_a_command(monkeypatch):
    for script in our_scripts():
        monkeypatch.setattr(sys.modules['__main__'], '__file__', str(script), raising=False)
        assert _toolbox._command() == script.stem
        in_wheel = Path('/site-packages/mmseg_langseg/.mim') / script.relative_to(ROOT)
        monkeypatch.setattr(sys.modules['__main__'], '__file__', str(in_wheel))
        assert _toolbox._command() == script.stem
    for other in (ROOT / 'tests' / 'tiny.py', ROOT.parent / 'tools' / 'train.py', None):
        path = other and str(other)
        monkeypatch.setattr(sys.modules['__main__'], '__file__', path, raising=False)
        assert _toolbox._command() is None


@pytest.mark.multiprocess
@pytest.mark.parametrize('name', ['tools/train', 'tools/synthetic/train_clip', 'demo/image_demo'])
def test_without_the_toolbox_a_command_ends_with_one_line(name, tmp_path):
    script = ROOT / f'{name}.py'
    (tmp_path / 'sitecustomize.py').write_text(MISSING.format(blocked=('mmengine', 'mmseg')))
    env = dict(os.environ, PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}')

    def start(*args):
        command = [sys.executable, *map(str, args)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)

    done = start(script, '--help')
    assert (done.returncode, done.stdout) == (1, '')
    (line,) = done.stderr.splitlines()
    assert line.startswith(f'{script.stem}: mmseg_langseg needs MMSegmentation')
    if name == 'tools/train':
        assert 'ImportError: mmseg_langseg needs' in start(script, '--debug').stderr
        library = tmp_path / 'tools' / 'mine.py'
        library.parent.mkdir()
        library.write_text('import mmseg_langseg')
        assert 'ImportError: mmseg_langseg needs' in start(library).stderr


def advice(error, installed, monkeypatch):
    def distribution(name):
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, 'distribution', distribution)
    return _toolbox._advice(error)


def test_two_mixed_stacks_are_named(monkeypatch):
    text = advice(AttributeError('x'), {'onedl-mmcv', 'mmengine', 'mmcv'}, monkeypatch)
    assert 'pip uninstall onedl-mmcv mmengine mmcv' in text


def test_other_failures_of_the_import(monkeypatch):
    stack = {'mmengine', 'mmcv', 'mmsegmentation'}
    text = advice(ModuleNotFoundError('x', name='mmcv._ext'), stack, monkeypatch)
    assert 'no usable compiled operators (x)' in text and 'mmcv==2.1.0' in text
    text = advice(AssertionError('MMCV==2.2.0 is used but incompatible'), stack, monkeypatch)
    assert 'MMCV==2.2.0' in text and 'mmseg_langseg[classic]' in text
    # Unrelated to the MMSegmentation stack: no advice.
    assert advice(ModuleNotFoundError('x', name='ftfy'), stack, monkeypatch) is None


def test_only_the_known_lines_are_left_out(capsys):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        with _toolbox.without_known_noise():
            print_log('Could not import OneDL')
            print_log('Loads checkpoint by data_file backend from path: a.pth')
            print_log('Could not import mmcv')
            warnings.warn('Fail to import ``MultiScaleDeformableAttention`` from', stacklevel=1)
            warnings.warn('Fail to import something else', stacklevel=1)
        print_log('Could not import OneDL')
    assert capsys.readouterr().out == 'Could not import mmcv\nCould not import OneDL\n'
    assert [str(warning.message) for warning in seen] == ['Fail to import something else']
