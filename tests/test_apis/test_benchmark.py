"""Any model can be tested on any benchmark, chosen by name."""

import pytest

from mmseg_langseg.apis import run_test
from mmseg_langseg.apis.benchmark import dataset_configs, list_benchmarks, use_benchmark
from mmseg_langseg.apis.config_file import read_config
from tests.configs import load
from tests.scripts import load_script

PHOTOS = 'photos_test'


@pytest.mark.parametrize('name', list_benchmarks())
def test_the_test_becomes_the_benchmarks(name):
    cfg = load('pixelclip/vit-b16_coco.py')
    before = cfg.copy()
    use_benchmark(cfg, name)
    source = read_config(dataset_configs() / f'{name}.py')
    for key in ('test_dataloader', 'test_evaluator', 'tta_pipeline', 'memory_split'):
        assert cfg.get(key) == source.get(key)
    assert cfg.model.decode_head.vocabulary == source.get('vocabulary')
    own_names = name == PHOTOS or name.startswith('synthetic')
    assert (source.get('vocabulary') is None) == own_names
    hooks = [*before.custom_hooks, *source.get('test_hooks', [])]
    assert cfg.custom_hooks == hooks and (len(hooks) > len(before.custom_hooks)) == (
        name == 'synthetic_centered'
    )
    # The training settings are unchanged.
    assert cfg.train_dataloader == before.train_dataloader
    assert cfg.val_dataloader == before.val_dataloader


def test_a_recipe_of_two_lines_equals_the_option(tmp_path):
    base = dataset_configs().parent
    (tmp_path / 'mine.py').write_text(
        f"_base_ = ['{base}/models/pixelclip_vit-b16.py', '{base}/datasets/ade20k.py', "
        f"'{base}/default_runtime.py']\n"
        'model = dict(decode_head=dict(vocabulary={{_base_.vocabulary}}))\n'
    )
    mine, option = read_config(tmp_path / 'mine.py'), load('pixelclip/vit-b16_coco.py', 'ade20k')
    for key in ('model', 'test_dataloader', 'test_evaluator', 'tta_pipeline', 'test_cfg'):
        assert mine[key] == option[key]


def test_a_config_of_photos_tests_on_a_benchmark_and_the_other_way_round():
    assert load('pixelclip/vit-b16_photos.py', 'cityscapes').test_cfg == dict(type='TestLoop')
    cfg = load('clips4/r50_voc.py', PHOTOS)
    assert cfg.model.decode_head.vocabulary is None  # the names of classes.txt
    assert 'memory_split' not in cfg


def test_a_model_that_reads_no_words_is_left_alone():
    cfg = load('clips4/transfer/r50_voc_linear-probe.py', 'pascal_voc21')
    assert 'vocabulary' not in cfg.model.decode_head


def test_own_files(tmp_path):
    (tmp_path / 'mine.py').write_text(
        f"_base_ = '{dataset_configs()}/photos_test.py'\nvocabulary = ['cat', 'dog']\n"
    )
    cfg = load('pixelclip/vit-b16_coco.py', str(tmp_path / 'mine.py'))
    assert cfg.model.decode_head.vocabulary == ['cat', 'dog']
    assert cfg.test_dataloader.dataset.type == 'FolderSegDataset'


@pytest.mark.parametrize(
    ('name', 'error', 'message'),
    [
        ('ade', ValueError, r"no benchmark 'ade'; expected one of ade20k, ade20k_847"),
        ('../ade20k', ValueError, r"no benchmark '\.\./ade20k'"),
        ('coco_masks', ValueError, r"'coco_masks' has no test_dataloader and no test_evaluator"),
        ('gone.py', FileNotFoundError, r"'gone\.py' does not exist"),
    ],
)
def test_what_is_no_benchmark_is_named(name, error, message):
    with pytest.raises(error, match=message):
        use_benchmark(load('pixelclip/vit-b16_coco.py'), name)


def test_commands_pass_the_option_on(monkeypatch):
    seen = []
    test = load_script('tools/test.py')
    monkeypatch.setattr(test, 'run_test', lambda config, **kwargs: seen.append(kwargs))
    test.main(['c.py', '--benchmark', 'ade20k'])
    assert seen[0]['benchmark'] == 'ade20k'
    unsupervised = load_script('tools/test_unsupervised.py')
    with pytest.raises(ValueError, match="no benchmark 'x'"):
        unsupervised.main(['configs/clips4/r50_voc.py', '--benchmark', 'x'])
    with pytest.raises(ValueError, match="no benchmark 'x'"):
        run_test('configs/clips4/r50_voc.py', benchmark='x')
