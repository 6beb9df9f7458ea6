"""Config checks: errors are reported before anything is built."""

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_langseg.apis import run_test, run_training
from mmseg_langseg.apis.config_checks import check_can_test, check_can_train, check_folders
from tests.scripts import ROOT

CONFIGS = ROOT / 'configs'


@pytest.fixture(autouse=True)
def _nothing_is_built(monkeypatch):
    monkeypatch.setattr(Runner, 'from_cfg', lambda cfg: pytest.fail('a runner was built'))


@pytest.mark.parametrize('name', ['clips4/r50', 'pixelclip/vit-b16'])
def test_a_config_without_a_test_names_the_one_that_has_it(name, tmp_path):
    with pytest.raises(ValueError) as error:
        run_test(CONFIGS / f'{name}_photos.py', work_dir=str(tmp_path))
    assert f'{name}_photos.py cannot test: it has no test_' in str(error.value)
    assert str(error.value).endswith(f'that test: {CONFIGS / name}_test-photos.py.')


def test_a_config_without_training_names_others(tmp_path):
    with pytest.raises(ValueError) as error:
        run_training(CONFIGS / 'maskclip' / 'vit-b16.py', work_dir=str(tmp_path))
    assert 'vit-b16.py cannot train: it has no train_dataloader' in str(error.value)
    with pytest.raises(ValueError, match=r'that train: \S*r50_photos\.py\.$'):
        run_training(CONFIGS / 'clips4' / 'r50_test-photos.py', work_dir=str(tmp_path))


def test_configs_without_a_file_are_checked():
    for check in (check_can_test, check_can_train):
        with pytest.raises(ValueError, match='it has no'):
            check(Config(dict(model=dict())))


def test_every_config_trains_or_tests():
    for path in CONFIGS.rglob('*.py'):
        if {'_base_', 'ablations', 'transfer'} & set(path.parts):
            continue
        cfg = Config.fromfile(path)
        (check_can_test if cfg.get('train_cfg') is None else check_can_train)(cfg)


@pytest.mark.parametrize('run', [run_test, run_training])
def test_missing_data_is_reported_before_a_model_is_built(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'missing: data/VOC\S+ \((train|test)_dataloader'):
        run(CONFIGS / 'clips4' / 'r50_voc.py', work_dir=str(tmp_path))


def loader(**dataset):
    return Config(dict(test_dataloader=dict(dataset=dict(type='D', **dataset))))


@pytest.fixture
def root(tmp_path):
    for folder in ('my photos/images', 'my photos/labels'):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / 'my photos' / 'list.txt').write_text('')
    return tmp_path / 'my photos'


LABELS = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
PREFIX = dict(img_path='images', seg_map_path='gone')


@pytest.mark.parametrize(
    ('change', 'missing'),
    [
        (dict(data_root='gone'), 'gone (test_dataloader.dataset)'),
        (dict(data_prefix=dict(img_path='gone')), 'my photos/gone ('),
        (dict(ann_file='gone.txt'), 'my photos/gone.txt ('),
        (dict(data_prefix=PREFIX, pipeline=LABELS), 'my photos/gone ('),
        (dict(data_prefix=dict(mask_path='gone')), 'my photos/gone ('),
    ],
)
def test_what_is_missing_is_named(root, change, missing):
    with pytest.raises(FileNotFoundError) as error:
        check_folders(loader(**{'data_root': str(root), **change}), 'test_dataloader')
    assert missing in str(error.value) and 'data_root=' in str(error.value)


@pytest.mark.parametrize(
    'dataset',
    [
        dict(data_prefix=dict(img_path='images', seg_map_path='labels'), ann_file='list.txt'),
        dict(data_prefix=PREFIX, pipeline=LABELS[:1]),
        dict(data_prefix=dict(img_path='s3://bucket/images')),
        dict(data_root='tar://data/sa1b', data_prefix=dict(img_path='images')),
        dict(data_root=None, num_scenes=3),
    ],
)
def test_data_that_are_there_or_elsewhere_pass(root, dataset):
    check_folders(
        loader(**{'data_root': str(root), **dataset}), 'test_dataloader', 'val_dataloader'
    )


@pytest.mark.parametrize(
    ('wrap', 'key'),
    [
        (lambda one: dict(type='RepeatDataset', times=2, dataset=one), 'dataset.dataset'),
        (lambda one: dict(type='ConcatDataset', datasets=[dict(type='S'), one]),
         'dataset.datasets.1'),
    ],
)  # fmt: skip
def test_datasets_in_wrappers_are_found(wrap, key):
    cfg = Config(dict(train_dataloader=dict(dataset=wrap(dict(type='D', data_root='gone')))))
    with pytest.raises(FileNotFoundError, match=rf'gone \(train_dataloader\.{key}\)'):
        check_folders(cfg, 'train_dataloader')
