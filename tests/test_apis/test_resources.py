"""Folders and configs of the package, in a checkout and beside other packages."""

import pytest

from mmseg_langseg.apis import resources
from mmseg_langseg.apis.config_file import read_config
from mmseg_langseg.apis.launch import load_config
from tests.scripts import ROOT

CONFIG = ROOT / 'configs' / 'pixelclip' / 'vit-b16_coco.py'


@pytest.mark.parametrize('name', ['configs', 'tools', 'demo', 'docs'])
def test_a_checkout_has_the_folders_beside_the_package(name):
    assert resources.resource_folder(name) == ROOT / name


def test_a_wheel_has_the_folders_in_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, 'PACKAGE', tmp_path / 'site' / 'mmseg_langseg')
    # Of another package, in site-packages.
    (tmp_path / 'site' / 'configs').mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"no 'configs' folder .* install the package"):
        resources.resource_folder('configs')
    assert resources.find_config('pixelclip/vit-b16_coco') is None
    assert resources.similar_configs('vit-b16_coco') == []
    folder = tmp_path / 'site' / 'mmseg_langseg' / '.mim' / 'configs'
    folder.mkdir(parents=True)
    (folder.parent / 'model-index.yml').touch()
    assert resources.resource_folder('configs') == folder


@pytest.mark.parametrize(
    'name',
    [
        'pixelclip/vit-b16_coco',
        'pixelclip/vit-b16_coco.py',
        'configs/pixelclip/vit-b16_coco',
        './configs/pixelclip/vit-b16_coco.py',
    ],
)
def test_configs_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_config(name).filename == str(CONFIG)
    assert load_config(name).work_dir == 'work_dirs/vit-b16_coco'


def test_a_file_in_the_working_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / 'configs' / 'pixelclip' / 'vit-b16_coco.py'
    own.parent.mkdir(parents=True)
    own.write_text('mine = 1')
    assert read_config('configs/pixelclip/vit-b16_coco.py').mine == 1
    assert read_config('pixelclip/vit-b16_coco').model.type == 'PixelCLIP'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('pixelclip/vit-b16_coc', "coc' does not exist. Did you mean pixelclip/vit-b16_coco or "),
        ('vit-b16_voc.py', "voc.py' does not exist. Did you mean clips4/vit-b16_voc?"),
        ('configs/clip4/r50_voc.py', 'Did you mean clips4/r50_voc?'),
        ('nothing/like/it.py', "it.py' does not exist."),
        ('configs/../configs/pixelclip/vit-b16_coco.py', 'does not exist.'),
        ('/configs/pixelclip/vit-b16_coco.py', 'does not exist.'),
        ('pixelclip', "'pixelclip' is a folder, not a config file."),
    ],
)
def test_similar_configs_are_named(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'pixelclip').mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        read_config(name)
    assert message in str(caught.value)
