"""Class names given to a command reach the model, and known names set the metric's split."""

import json

import pytest
from mmengine.config import Config
from mmseg.registry import METRICS

from mmseg_langseg.apis import run_test
from mmseg_langseg.apis.words import dataset_classes, set_known, set_texts
from tests.scripts import ROOT, run

CLIPS4 = ROOT / 'configs' / 'clips4'
SYNTHETIC = CLIPS4 / 'resnet_synthetic.py'


def read(path=SYNTHETIC):
    return Config.fromfile(path)


def test_known_words_set_the_head_and_both_metrics():
    cfg = read()
    set_known(cfg, 'ring; star, asterisk; grass')
    assert cfg.model.decode_head.known == 'ring; star, asterisk; grass'
    classes = dataset_classes(cfg.val_dataloader.dataset)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert set(evaluator.known) == {'ring', 'star', 'grass'}
        assert len(evaluator.unknown) == 14
        METRICS.build(evaluator).dataset_meta = dict(classes=classes)


def test_known_words_of_a_file_and_of_maskclip_plus(tmp_path):
    path = tmp_path / 'known words.json'
    path.write_text(json.dumps(dict(classes=['ring', 'star'])))
    cfg = read(ROOT / 'configs' / 'maskclip' / 'plus_resnet_synthetic.py')
    set_known(cfg, str(path))
    assert cfg.model.decode_head.names == str(path) and 'known' not in cfg.model.decode_head
    assert set(cfg.test_evaluator.known) == {'ring', 'star'}


def test_words_under_test_and_dataset_names_are_joined(tmp_path):
    """VOC uses 'pottedplant', MaskCLIP's vocabulary 'potted plant'."""
    cfg = read(CLIPS4 / 'r50_voc.py')
    data = tmp_path / 'VOC2012'
    data.mkdir()
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(data)
        loader.dataset.ann_file = ''
    set_known(cfg, 'voc20_maskclip.json')
    assert 'pottedplant' in cfg.test_evaluator.known and cfg.test_evaluator.unknown == []


def test_known_words_that_are_no_class_are_named():
    with pytest.raises(ValueError, match=r'--known: zebra, okapi: not in Synthetic.*ring'):
        set_known(read(), 'ring; zebra; okapi')


def test_known_words_without_a_split_may_be_any():
    cfg = read(CLIPS4 / 'r50_photos.py')
    set_known(cfg, 'my cat; fire hydrant')
    assert cfg.model.decode_head.known == 'my cat; fire hydrant'
    cfg = read()
    cfg.val_evaluator = cfg.test_evaluator = [dict(type='IoUMetric')]
    set_known(cfg, 'my cat; fire hydrant')
    assert cfg.val_evaluator == [dict(type='IoUMetric')]


def test_models_without_words_are_refused(tiny_config):
    with pytest.raises(ValueError, match='--known is for CLIP-S4 and MaskCLIP'):
        set_known(read(ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py'), 'ring; star')
    with pytest.raises(ValueError, match='needs a model that uses class names; the FCNHead'):
        set_texts(read(tiny_config), 'ring; star')
    for change in (set_known, set_texts):
        with pytest.raises(ValueError, match='occurs twice'):
            change(read(), 'ring; ring')
        with pytest.raises(FileNotFoundError, match=r'gone\.json'):
            change(read(), 'gone.json')


class Taken(Exception):
    pass


@pytest.fixture
def taken(monkeypatch):
    """Collect the configs that would have been run."""
    configs = []

    def take(cfg):
        configs.append(cfg)
        raise Taken

    monkeypatch.setattr('mmseg_langseg.apis.train.launch_runner', take)
    monkeypatch.setattr('mmseg_langseg.apis.test.launch_runner', take)
    return configs


def test_the_flags_arrive_as_typed(taken, tmp_path):
    words = 'ring; star, asterisk; grass'
    work = ('--work-dir', tmp_path / 'a b')
    for name, flag in (('train', '--known'), ('test', '--known'), ('test', '--texts')):
        with pytest.raises(Taken):
            run(name, SYNTHETIC, *work, flag, words)
    assert taken[0].model.decode_head.known == words
    assert set(taken[1].test_evaluator.known) == {'ring', 'star', 'grass'}
    assert taken[2].model.decode_head.vocabulary == words
    assert all(cfg.work_dir == str(tmp_path / 'a b') for cfg in taken)


def test_options_with_blanks_arrive_as_typed(taken, tmp_path, tiny_config):
    data = tmp_path / 'name with blanks, and commas'
    (tmp_path / 'data').rename(data)
    options = [f'{part}_dataloader.dataset.data_root={data}' for part in ('train', 'val')]
    with pytest.raises(Taken):
        run('train', tiny_config, '--cfg-options', *options)
    assert taken[0].train_dataloader.dataset.data_root == str(data)


def test_a_folder_with_blanks_is_scored(tiny_config, tmp_path):
    data = tmp_path / 'name with blanks'
    (tmp_path / 'data').rename(data)
    option = f'test_dataloader.dataset.data_root={data}'
    work = ('--work-dir', tmp_path / 'work')
    assert 0 <= run('test', tiny_config, *work, '--cfg-options', option)['mIoU'] <= 100


def test_texts_are_what_is_tested(tmp_path):
    classes = dataset_classes(read().test_dataloader.dataset)
    options = {
        'model.clip.pretrained': None,
        'test_dataloader.dataset.num_scenes': 2,
        'test_evaluator.type': 'IoUMetric',
        'test_evaluator._delete_': True,
    }
    texts = '; '.join(f'thing {index}, object {index}' for index in range(len(classes)))
    figures = run_test(SYNTHETIC, work_dir=str(tmp_path), cfg_options=options, texts=texts)
    assert 0 <= figures['mIoU'] <= 100
    with pytest.raises(ValueError, match=r'2 classes.*has 17'):
        run_test(SYNTHETIC, work_dir=str(tmp_path), cfg_options=options, texts='ring; star')
