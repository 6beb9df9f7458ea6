"""Hooks: words of the dataset under test, centring of the logits, life of the clusters."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS
from PIL import Image
from torch import nn

from mmseg_langseg.datasets.synthetic_renderer import CLASSES
from mmseg_langseg.engine.hooks import (
    DatasetVocabularyHook,
    LogitCentringHook,
    MaskClusteringHook,
)
from mmseg_langseg.engine.hooks.mask_clustering_hook import usage_histogram
from mmseg_langseg.models.text_encoders import FreeCentroids
from tests.distributed import run_processes
from tests.tiny import pixelclip, pixelclip_config, training_batch

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'pixelclip' / 'resnet_synthetic.py'
SCENES = dict(
    type='SyntheticScenesDataset',
    split='train',
    num_scenes=9,
    pipeline=[dict(type='LoadSyntheticScene'), dict(type='PackSegInputs')],
)
VOCABULARY = dict(type='DatasetVocabularyHook')


def fake_runner(model, **classes):
    """What the hooks see of a runner; ``classes`` are those of the val and test datasets."""
    loaders = {
        f'{name}_dataloader': SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=names)))
        for name, names in classes.items()
    }
    return SimpleNamespace(model=model, logger=Mock(), **loaders)


def build_runner(folder, model=None, hooks=(), iters=5, **options):
    """A real runner on a few scenes, from the embedded config."""
    cfg = Config.fromfile(CONFIG)
    cfg.model = ConfigDict(model or pixelclip_config())
    cfg.custom_hooks = list(hooks)
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{folder.parent.name}_{folder.name}_{iters}'
    cfg.merge_from_dict(
        {
            'train_cfg.max_iters': iters,
            'train_cfg.val_interval': 100,
            'train_dataloader.batch_size': 2,
            'train_dataloader.dataset.num_scenes': 6,
            'val_dataloader.batch_size': 2,
            'val_dataloader.dataset.num_scenes': 2,
            'test_dataloader.batch_size': 2,
            'test_dataloader.dataset.num_scenes': 4,
            'default_hooks.checkpoint.interval': 5,
            'default_hooks.logger.interval': 1,
            **options,
        }
    )
    return Runner.from_cfg(cfg)


# --- DatasetVocabularyHook ---------------------------------------------------------------------


def test_words_follow_the_dataset_under_validation_and_test():
    model = pixelclip()
    runner = fake_runner(model, val=('cat', 'dog'), test=('sky', 'road', 'car'))
    hook = DatasetVocabularyHook()
    hook.before_val(runner)
    assert model.decode_head.vocabulary.names == ('cat', 'dog')
    hook.before_test(runner)
    assert model.decode_head.vocabulary.names == ('sky', 'road', 'car')
    assert model.num_classes == model.out_channels == 3
    assert len(model.decode_head.text_rows) == 3


def test_same_words_are_not_encoded_again(monkeypatch):
    model = pixelclip()
    runner = fake_runner(model, val=('cat', 'dog'))
    DatasetVocabularyHook().before_val(runner)
    monkeypatch.setattr(model, 'set_vocabulary', lambda _: pytest.fail('encoded twice'))
    DatasetVocabularyHook().before_val(runner)


def test_fixed_words_stay_and_must_fit_the_dataset():
    model = pixelclip(vocabulary=['cat, kitten', 'dog'])
    hook = DatasetVocabularyHook()
    hook.before_test(fake_runner(model, test=('Felis catus', 'Canis familiaris')))
    assert model.decode_head.vocabulary.names == ('cat', 'dog')
    with pytest.raises(ValueError, match=r'has 2 classes .* but SimpleNamespace has 3'):
        hook.before_test(fake_runner(model, test=('a', 'b', 'c')))


def test_words_reach_the_model_inside_test_time_augmentation():
    module = pixelclip_config()
    tta = MODELS.build(ConfigDict(type='SegTTAModel', module=module))
    DatasetVocabularyHook().before_test(fake_runner(tta, test=('cat', 'dog')))
    assert tta.module.decode_head.vocabulary.names == ('cat', 'dog')


@pytest.mark.parametrize('classes', [None, ()])
def test_dataset_without_classes_is_an_error(classes):
    with pytest.raises(ValueError, match=r'names no classes.*decode_head\.vocabulary'):
        DatasetVocabularyHook().before_test(fake_runner(pixelclip(), test=classes))


@pytest.mark.parametrize('hook', [DatasetVocabularyHook(), LogitCentringHook(SCENES)])
def test_other_models_are_refused(hook):
    runner = fake_runner(nn.Linear(2, 2), test=('cat', 'dog'))
    with pytest.raises(TypeError, match=f'{type(hook).__name__} needs a model with .* got Linear'):
        hook.before_test(runner)


# --- LogitCentringHook -------------------------------------------------------------------------


def zero_shot(**changes):
    model = pixelclip(**changes).eval()
    DatasetVocabularyHook().before_test(fake_runner(model, test=CLASSES))
    return model


def slow_mean(model, dataset, count):
    """Mean logit of each class, one image at a time, without an offset."""
    means = []
    for i in range(count):
        data = dataset[i]
        batch = dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
        batch = model.data_preprocessor(batch, False)
        with torch.no_grad():
            metas = [batch['data_samples'][0].metainfo]
            logits = model.inference(batch['inputs'], metas)
        means.append([float(channel.mean()) for channel in logits[0]])
    return torch.tensor(means).mean(0)


def test_offset_is_the_mean_logit_and_never_adds_up():
    model = zero_shot()
    expected = slow_mean(model, DATASETS.build(SCENES), 7)
    assert expected.abs().min() > 1e-4
    hook = LogitCentringHook(SCENES, num_images=7, batch_size=3)
    runner = fake_runner(model)
    for _ in range(2):
        hook.before_test(runner)
        torch.testing.assert_close(model.decode_head.logit_offset, expected, atol=1e-6, rtol=1e-5)
    centred = slow_mean(model, DATASETS.build(SCENES), 7)
    torch.testing.assert_close(centred, torch.zeros_like(centred), atol=1e-6, rtol=0)


def test_images_of_several_sizes_are_not_averaged_with_their_padding(tmp_path):
    (tmp_path / 'images').mkdir()
    rng = np.random.default_rng(0)
    for i, (height, width) in enumerate([(32, 48), (64, 32), (32, 48), (40, 40)]):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'images' / f'{i}.png')
    photos = dict(
        type='BaseSegDataset',
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images'),
        img_suffix='.png',
        metainfo=dict(classes=CLASSES),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackSegInputs')],
    )
    model = zero_shot(data_preprocessor=dict(type='CLIPDataPreProcessor'))
    expected = slow_mean(model, DATASETS.build(photos), 4)
    LogitCentringHook(photos, batch_size=4).before_test(fake_runner(model))
    torch.testing.assert_close(model.decode_head.logit_offset, expected, atol=1e-6, rtol=1e-5)


def _offset_and_clusters(rank):
    model = zero_shot()
    LogitCentringHook(SCENES, num_images=7, batch_size=2).before_test(fake_runner(model))
    centroids = pixelclip(prompts=dict(type='FreeCentroids', num_clusters=3))
    runner = _collecting_runner(centroids, _batches(rank))
    MaskClusteringHook(init_batches=2).before_train(runner)
    centres = centroids.decode_head.prompts.centroids.detach()
    # As arrays: a tensor cannot be read from the queue once the process that made it has ended.
    offset = model.decode_head.logit_offset
    return offset.numpy(), centres.numpy(), runner.logger.info.call_args.args[0]


def _collecting_runner(model, batches):
    cfg = SimpleNamespace(train_dataloader=None)
    return SimpleNamespace(
        iter=0,
        model=model,
        logger=Mock(),
        cfg=cfg,
        seed=0,
        build_dataloader=lambda *_, **__: batches,
    )


def _batches(rank):
    counts = [(3, 2), (0, 0)] if rank == 0 else [(1, 4), (2, 2)]
    return [training_batch(count, seed=10 * rank + i) for i, count in enumerate(counts)]


@pytest.mark.multiprocess
def test_two_processes_agree_on_offset_and_first_clusters():
    model = zero_shot()
    LogitCentringHook(SCENES, num_images=7, batch_size=2).before_test(fake_runner(model))
    (offset0, centres0, text0), (offset1, centres1, _) = run_processes(_offset_and_clusters, 2)
    expected = model.decode_head.logit_offset.numpy()
    np.testing.assert_allclose(offset0, expected, atol=1e-6, rtol=1e-5)
    np.testing.assert_array_equal(offset0, offset1)

    one = pixelclip(prompts=dict(type='FreeCentroids', num_clusters=3))
    runner = _collecting_runner(one, _batches(0) + _batches(1))
    MaskClusteringHook(init_batches=4).before_train(runner)
    assert text0 == 'Clusters initialised from 14 mask features.'
    assert text0 == runner.logger.info.call_args.args[0]
    expected = one.decode_head.prompts.centroids.detach().numpy()
    np.testing.assert_allclose(centres0, expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(centres0, centres1)


def test_a_test_run_centres_after_it_has_its_words(tmp_path):
    hooks = [dict(type='LogitCentringHook', dataset=SCENES, num_images=4), VOCABULARY]
    runner = build_runner(tmp_path, hooks=hooks)
    first = runner.test()
    offset = runner.model.decode_head.logit_offset
    expected = slow_mean(zeroed(runner.model), DATASETS.build(SCENES), 4)
    torch.testing.assert_close(offset, expected, atol=1e-6, rtol=1e-5)
    assert runner.test() == first


def zeroed(model):
    model = copy.deepcopy(model)
    head = model.decode_head
    head.set_logit_offset(torch.zeros_like(head.logit_offset))
    return model


# --- MaskClusteringHook ------------------------------------------------------------------------


class Recorder(Hook):
    """Notes the usage before training and every assignment."""

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if not hasattr(self, 'start'):
            self.start = runner.model.decode_head.clusterer.usage.clone()
            self.counts = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        ids = runner.model.decode_head.last_assignment
        self.counts.append(torch.bincount(ids, minlength=6))


def train(folder, **kwargs):
    hooks = [VOCABULARY, dict(type='MaskClusteringHook', interval=3, histogram_interval=3)]
    runner, recorder = build_runner(folder, hooks=hooks, **kwargs), Recorder()
    runner.register_hook(recorder)
    runner.train()
    return runner, recorder


def test_usage_is_logged_reset_saved_and_resumed(tmp_path):
    runner, recorder = train(tmp_path)
    assert int(recorder.start.sum()) == 0
    logged, kept = sum(recorder.counts[:3]), sum(recorder.counts[3:])
    usage = runner.model.decode_head.clusterer.usage
    assert torch.equal(usage, kept) and int(kept.sum()) > 0

    share = logged.double() / logged.sum()
    positive = share[share > 0]
    expected = dict(
        entropy=float(-(positive * positive.log()).sum() / np.log(6)),
        dead=float((share == 0).double().mean()),
        largest=float(share.max()),
        assigned=float(logged.sum()),
    )
    (path,) = tmp_path.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [f'cluster/{key}' in lines[1] for key in expected] == [False] * 4
    for key, value in expected.items():
        scalar = runner.message_hub.get_scalar(f'train/cluster/{key}').current()
        assert scalar == pytest.approx(value, abs=1e-6)
        assert lines[2][f'cluster/{key}'] == pytest.approx(value, abs=1e-6)

    (picture,) = tmp_path.glob('*/vis_data/vis_image/cluster_usage_*.png')
    assert picture.name == 'cluster_usage_3.png'
    np.testing.assert_array_equal(np.array(Image.open(picture)), usage_histogram(logged.numpy()))

    checkpoint = tmp_path / 'iter_5.pth'
    state = torch.load(checkpoint, weights_only=False)['state_dict']
    assert torch.equal(state['decode_head.clusterer.usage'], kept)
    resumed, again = train(tmp_path / 'resumed', iters=7, load_from=str(checkpoint), resume=True)
    assert torch.equal(again.start, kept) and len(again.counts) == 2
    value = resumed.message_hub.get_scalar('train/cluster/assigned').current()
    assert value == int(kept.sum() + again.counts[0].sum())


def test_free_centroids_start_at_mask_features_and_resume_as_they_were(tmp_path, monkeypatch):
    calls = []
    initialise = FreeCentroids.initialise

    def spy(self, features):
        calls.append(len(features))
        initialise(self, features)

    monkeypatch.setattr(FreeCentroids, 'initialise', spy)
    model = pixelclip_config(prompts=dict(type='FreeCentroids', num_clusters=6))
    # Three batches an epoch: fewer than the hook asks for.
    options = {
        'train_dataloader.sampler': dict(type='DefaultSampler', shuffle=False),
        'optim_wrapper.optimizer.lr': 0.0,
    }
    runner, _ = train(tmp_path, model=copy.deepcopy(model), **options)
    assert len(calls) == 1 and calls[0] > 6
    centroids = runner.model.decode_head.prompts.centroids.detach()
    start = pixelclip(prompts=dict(type='FreeCentroids', num_clusters=6)).decode_head.prompts
    assert not torch.allclose(centroids, start.centroids, atol=0.1)

    options |= dict(load_from=str(tmp_path / 'iter_5.pth'), resume=True)
    resumed, _ = train(tmp_path / 'resumed', model=model, iters=6, **options)
    assert len(calls) == 1
    assert torch.equal(resumed.model.decode_head.prompts.centroids.detach(), centroids)


def test_model_without_clusters_trains_under_the_hook(tmp_path):
    model = pixelclip_config(prompts=None, clusterer=None)
    runner = build_runner(
        tmp_path, model=model, hooks=[VOCABULARY, dict(type='MaskClusteringHook')], iters=1
    )
    runner.train()
    assert 'train/cluster/entropy' not in runner.message_hub.log_scalars


def test_histogram_against_bars_drawn_by_hand():
    blue, white, red = (70, 120, 180), (255, 255, 255), (200, 60, 40)
    # Shares 2/3, 1/3 and 0, sorted; the uniform share is half of the highest bar.
    picture = usage_histogram(np.array([0, 2, 4]), height=4, bar=2)
    expected = [
        [blue] * 2 + [white] * 4,
        [blue] * 2 + [white] * 4,
        [red] * 6,
        [blue] * 4 + [white] * 2,
    ]
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, np.array(expected))


def test_histogram_of_nothing_is_empty():
    picture = usage_histogram(np.zeros(3, int), height=5, bar=1)
    assert (picture[1:] == 255).all()
