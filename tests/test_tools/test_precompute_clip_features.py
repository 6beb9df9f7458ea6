"""Precomputed CLIP features: their files, and training with them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmseg_langseg.engine.hooks import FiniteLossHook
from mmseg_langseg.models.clip_loader import load_clip
from tests.scripts import load_script
from tests.tiny import VIT

SIZES = {'a/1.jpg': (40, 56), 'a/2.png': (32, 32), '3.jpg': (64, 40)}
NORM = dict(type='BN', requires_grad=True)
VIEWS = [
    dict(type='LoadUnlabeledImage'),
    dict(type='LoadRegionMap', max_regions=6),
    dict(
        type='AugmentedViews',
        num_views=2,
        transforms=[dict(type='RandomView', crop_size=(48, 48), ratio_range=(0.7, 1.2))],
    ),
    dict(type='PackViews'),
]


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/dataset_converters/precompute_clip_features.py')


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Weight file of a tiny CLIP, treated as public weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('clip') / 'clip.pth'
    torch.save(load_clip(VIT, None).state_dict(), path)
    return path


@pytest.fixture
def config(tmp_path, weights):
    """Config file of a tiny CLIP-S⁴ on three images."""
    rng = np.random.default_rng(0)
    for name, (height, width) in SIZES.items():
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((width, height), Image.NEAREST).save(path)
    cfg = Config(
        dict(
            model=dict(
                type='CLIPS4',
                clip=dict(arch=VIT, pretrained=str(weights)),
                data_preprocessor=dict(type='CLIPDataPreProcessor', teacher_size=(32, 64)),
                backbone=dict(
                    type='ResNetV1c', depth=18, base_channels=8, stem_channels=8, norm_cfg=NORM
                ),
                neck=dict(
                    type='EmbeddingHead',
                    embed_dim=12,
                    head=dict(type='FCNHead', in_channels=64, in_index=3, channels=8),
                ),
                teacher=dict(type='CLIPVisionTransformer', readout='value'),
                decode_head=dict(
                    type='CLIPS4Head',
                    templates='single',
                    known=['cat', 'dog'],
                    clusterer=dict(type='UnknownPrototypes', num_clusters=4),
                    loss_contrast=dict(type='PixelSegmentContrastLoss'),
                    loss_embedding=dict(type='EmbeddingConsistencyLoss'),
                    loss_semantic=dict(type='SemanticConsistencyLoss'),
                ),
            ),
            train_dataloader=dict(
                dataset=dict(
                    type='UnlabeledMaskDataset',
                    data_root=str(tmp_path),
                    data_prefix=dict(img_path='images'),
                    pipeline=VIEWS,
                )
            ),
        )
    )
    cfg.dump(tmp_path / 'config.py')
    return tmp_path / 'config.py'


def losses(model, dataset):
    np.random.seed(1)
    batch = pseudo_collate([dataset[index] for index in range(len(dataset))])
    return model(**model.data_preprocessor(batch, True), mode='loss')


def test_training_with_the_features_is_training_with_the_teacher(tool, config, tmp_path):
    out = tmp_path / 'features'
    counts = tool.main([str(config), str(out), '--device', 'cpu', '--quiet'])
    assert (counts['images'], counts['made'], counts['unreadable']) == (3, 3, 0)
    # 4 x 8 patches of 8 pixels, in the same folder tree as the images.
    assert np.load(out / 'a/1.npy').shape == (12, 4, 8)
    assert counts['bytes'] == sum(path.stat().st_size for path in out.rglob('*.npy'))

    init_default_scope('mmseg')
    cfg = Config.fromfile(config)
    with_teacher = MODELS.build(cfg.model).train()
    expected = losses(with_teacher, DATASETS.build(cfg.train_dataloader.dataset))

    cfg.model.teacher = None
    cfg.train_dataloader.dataset.data_prefix.feature_path = 'features'
    cfg.train_dataloader.dataset.pipeline.insert(0, dict(type='LoadCLIPFeatures'))
    without = MODELS.build(cfg.model).train()
    without.load_state_dict(with_teacher.state_dict())
    # The batch norms' running means also moved, but training does not read them.
    without.decode_head.image_mean.value.zero_()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    found = losses(without, dataset)
    assert found.keys() == expected.keys() and 'loss_semantic' in found
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=2e-3, abs=1e-4), name

    np.save(out / 'a/1.npy', np.load(out / '3.npy'))
    wrong = losses(without, dataset)
    assert wrong['loss_embedding'].item() != pytest.approx(expected['loss_embedding'].item(), 2e-3)

    # A NaN in one file reaches the loss, where training stops and names the file.
    features = np.load(out / 'a/1.npy')
    features[0] = np.nan
    np.save(out / 'a/1.npy', features)
    outputs = losses(without, dataset)
    batch = pseudo_collate([dataset[index] for index in range(len(dataset))])
    with pytest.raises(FloatingPointError, match=r'not finite.*a/1\.npy'):
        FiniteLossHook().after_train_iter(SimpleNamespace(iter=0), 0, batch, outputs)


def test_a_second_run_makes_what_is_missing_and_nothing_else(tool, config, tmp_path, capsys):
    out = tmp_path / 'features'
    arguments = [str(config), str(out), '--device', 'cpu']
    assert tool.main([*arguments, '--shard', '0/2', '--quiet'])['made'] == 2
    assert not capsys.readouterr().err
    first = {path: path.read_bytes() for path in out.rglob('*.npy')}
    assert tool.main([*arguments, '--shard', '1/2'])['made'] == 1
    assert 'image/s' in capsys.readouterr().err

    broken, kept = sorted(first)
    broken.write_bytes(first[broken][:-10])
    stamp = kept.stat().st_mtime_ns
    (out / 'a' / '1.npy.x.tmp').write_bytes(b'left by a killed run')
    (tmp_path / 'images' / 'bad.jpg').write_bytes(b'')
    counts = tool.main([*arguments, '--quiet'])
    assert (counts['made'], counts['kept'], counts['unreadable']) == (1, 2, 1)
    assert broken.read_bytes() == first[broken] and kept.stat().st_mtime_ns == stamp
    assert not list(out.rglob('*.tmp'))
    assert 'bad.jpg' in (out / '.manifest' / 'unreadable-0-of-1.txt').read_text()
    settings = json.loads((out / '.manifest' / 'settings.json').read_text())['settings']
    assert settings['teacher_size'] == [32, 64] and settings['teacher']['readout'] == 'value'


def test_features_of_another_teacher_are_not_mixed(tool, config, tmp_path):
    arguments = [str(config), str(tmp_path / 'features'), '--device', 'cpu', '--quiet']
    tool.main([*arguments, '--shard', '0/3'])
    for option, message in (
        ('model.teacher.readout=value_cls', "teacher was .*'value'.*'value_cls'"),
        ('model.data_preprocessor.teacher_size=32,32', r'teacher_size was \[32, 64\]'),
        ('model.clip.pretrained=None', "weights was '"),
        ('model.teacher=None', 'model.teacher is None'),
        ('train_dataloader.dataset.ann_file=gone.txt', 'gone.txt'),
    ):
        with pytest.raises((OSError, RuntimeError, ValueError), match=f'{message}'):
            tool.main([*arguments, '--cfg-options', option])


def test_two_images_cannot_share_a_file(tool, config, tmp_path):
    Image.new('RGB', (8, 8)).save(tmp_path / 'images' / 'a' / '1.png')
    with pytest.raises(ValueError, match=r'1\.(jpg|png) and .*1\.(jpg|png) would have the same'):
        tool.main([str(config), str(tmp_path / 'features'), '--device', 'cpu'])


def test_files_of_another_origin_stay(tool, config, tmp_path):
    out = tmp_path / 'features'
    arguments = [str(config), str(out), '--device', 'cpu', '--quiet']
    tool.main(arguments)
    for content in (np.arange(4.0), np.zeros((2, 3, 4), np.float32), dict(a=np.zeros(3))):
        with open(out / '3.npy', 'wb') as file:
            np.savez(file, **content) if isinstance(content, dict) else np.save(file, content)
        before = (out / '3.npy').read_bytes()
        with pytest.raises(ValueError, match=r"3\.npy' exists and was not made by this tool"):
            tool.main(arguments)
        assert (out / '3.npy').read_bytes() == before
