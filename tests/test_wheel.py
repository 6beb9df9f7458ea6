"""A wheel is complete: configs, tools and models work in an empty folder without the checkout."""

import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.scripts import ROOT

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

# Of a checkout that is installed as editable, only the wheel must be found.
SITE = f'import sys\nsys.path[:] = [p for p in sys.path if p.rstrip("/") != {str(ROOT)!r}]\n'
NOT_COPIED = ('.git', '.venv', '__pycache__', '*.egg-info', 'data', 'checkpoints', 'work_dirs')

OWN_CONFIG = """
custom_imports = dict(imports=['mmseg_langseg'], allow_failed_imports=False)
default_scope = 'mmseg'
arch = dict(
    embed_dim=64,
    vision_cfg=dict(
        timm_model_name='langseg_resnet_tiny', timm_pool='', timm_proj='linear', image_size=64
    ),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=4, layers=2),
)
clip = dict(arch=arch, pretrained='embedded:clip_resnet_tiny_seed0')
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='CLIPDataPreProcessor'),
    backbone=dict(type='CLIPTimmTower', **clip),
    decode_head=dict(
        type='LanguageHead',
        text_encoder=dict(type='OpenCLIPTextEncoder', **clip),
        vocabulary='red circle; blue square',
    ),
    test_cfg=dict(mode='whole'),
)
"""
CHECK = """
import runpy
import sys
from pathlib import Path

from mmengine.config import Config

assert 'mmseg_langseg' not in sys.modules
cfg = Config.fromfile('own.py')
assert 'mmseg_langseg' in sys.modules  # by the custom import

import mmseg_langseg
from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.apis.benchmark import list_benchmarks
from mmseg_langseg.apis.config_file import read_config
from mmseg_langseg.apis.resources import resource_folder
from mmseg_langseg.models.text_encoders import Vocabulary

import numpy as np

package = Path(sys.argv[1], 'mmseg_langseg')
assert Path(mmseg_langseg.__file__) == package / '__init__.py', mmseg_langseg.__file__
for name in ('configs', 'tools', 'demo', 'docs'):
    assert resource_folder(name) == package / '.mim' / name
assert 'ade20k' in list_benchmarks()
for name in ('pixelclip/vit-b16_coco', 'configs/pixelclip/vit-b16_coco.py'):
    assert read_config(name).model.type == 'PixelCLIP'
assert len(Vocabulary.parse(str(package / 'vocabularies' / 'ade150.json')).names) == 150
segment = LangSegInferencer(cfg, device='cpu')
result = segment(np.zeros((48, 64, 3), np.uint8), 'red circle; blue square')
assert result.labels.shape == (48, 64)
print('checked')

script = str(resource_folder('tools') / 'test.py')
sys.argv = [script, 'pixelclip/resnet_synthetic', '--benchmark', 'pascal_voc20']
runpy.run_path(script, run_name='__main__')
"""


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    """A copy of the checkout."""
    folder = tmp_path_factory.mktemp('build') / 'checkout'
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (folder / 'tools' / '__pycache__').mkdir()
    (folder / 'tools' / '__pycache__' / 'train.cpython-311.pyc').touch()
    return folder


@pytest.fixture(scope='module')
def wheel(copy):
    """A wheel that is built in the copy."""
    pytest.importorskip('setuptools', '70.1')
    before = sorted(copy.rglob('*'))
    pip('wheel', '--no-build-isolation', '-w', copy.parent / 'dist', copy)
    assert sorted(copy.rglob('*')) == before, 'the build left files in the checkout'
    (file,) = copy.parent.glob('dist/*.whl')
    return file


@pytest.fixture(scope='module')
def installed(wheel):
    """A folder for PYTHONPATH that has the package and nothing else."""
    folder = wheel.parents[1] / 'installed'
    pip('install', '--target', folder, wheel)
    (folder / 'sitecustomize.py').write_text(SITE)
    return folder


@pytest.fixture
def python(installed, tmp_path):
    """Start Python or a script in an empty folder, with the installed wheel."""

    def start(*arguments):
        env = dict(os.environ, PYTHONPATH=str(installed))
        command = [sys.executable, *map(str, arguments)]
        options = dict(cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
        return subprocess.run(command, **options)

    return start


def pip(command, *arguments):
    options = ['--no-deps', '--no-index', '--quiet', '--disable-pip-version-check']
    done = subprocess.run(
        [sys.executable, '-m', 'pip', command, *options, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def files_of(folder, suffixes):
    found = [path for path in (ROOT / folder).rglob('*') if path.suffix in suffixes]
    return {str(path.relative_to(ROOT)) for path in found if '__pycache__' not in path.parts}


def test_wheel_has_all_files_and_no_others(wheel):
    with zipfile.ZipFile(wheel) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    resources = {n.partition('/.mim/')[2] for n in modes if '/.mim/' in n}
    expected = files_of('configs', ('.md', '.py', '.yml')) | files_of('tools', ('.py', '.sh'))
    expected |= files_of('demo', ('.ipynb', '.py')) | files_of('docs', ('.json', '.md'))
    expected.add('model-index.yml')
    assert resources == expected
    for name in resources:
        executable = bool(modes[f'mmseg_langseg/.mim/{name}'] & stat.S_IXUSR)
        assert executable == os.access(ROOT / name, os.X_OK), name

    package = {n for n in modes if '.dist-info/' not in n and '/.mim/' not in n}
    suffixes = ('.json', '.jsonl', '.pth', '.py', '.typed')
    assert package == files_of('mmseg_langseg', suffixes)
    assert {'mmseg_langseg/py.typed', 'mmseg_langseg/vocabularies/ade150.json'} <= package
    assert 'mmseg_langseg/synthetic/assets/clip_resnet_tiny_seed0.pth' in package


def test_model_index_leads_to_all_models(installed):
    """Openmim reads the index with this library."""
    modelindex = pytest.importorskip('modelindex.load_model_index')
    root = installed / 'mmseg_langseg' / '.mim'
    index = modelindex.load(str(root / 'model-index.yml'))
    index.build_models_with_collections()
    listed = [yaml.safe_load(file.read_text()) for file in root.glob('configs/*/metafile.yml')]
    names = {model['Name'] for content in listed for model in content['Models']}
    assert {model.name for model in index.models} == names
    for model in index.models:
        assert (root / model.config).is_file(), model.config
        assert model.in_collection in {collection.name for collection in index.collections}


def test_package_own_config_and_a_test_without_data(python, installed, tmp_path):
    """In one process, as imports take most of the time."""
    (tmp_path / 'own.py').write_text(OWN_CONFIG)
    done = python('-c', CHECK, installed)
    assert done.stdout.endswith('checked\n'), done.stdout + done.stderr
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith('test: Data of the config are missing: data/VOCdevkit/VOC2012'), last
    page = installed / 'mmseg_langseg' / '.mim' / 'docs' / 'data.md'
    assert page.is_file() and f'{page} shows the expected folders' in last


def test_quickstart(python, installed, tmp_path):
    script = installed / 'mmseg_langseg' / '.mim' / 'tools' / 'quickstart.py'
    done = python(script, '--iterations', 2, '--test-scenes', 2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r'^PixelCLIP +\d', done.stdout, re.MULTILINE)
    assert [path.name for path in tmp_path.iterdir()] == ['work_dirs']
    assert list(Path(tmp_path).glob('work_dirs/quickstart/*/quickstart.png'))
