import copy
import json

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from PIL import Image

from mmseg_langseg.engine.hooks.mask_clustering_hook import usage_histogram
from mmseg_langseg.models.text_encoders import FreeCentroids
from tests.test_engine.runners import (
    VOCABULARY,
    build_runner,
)
from tests.tiny import pixelclip, pixelclip_config


class Recorder(Hook):
    """Records the usage before training and every assignment."""

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
    initialize = FreeCentroids.initialize

    def spy(self, features):
        calls.append(len(features))
        initialize(self, features)

    monkeypatch.setattr(FreeCentroids, 'initialize', spy)
    model = pixelclip_config(prompts=dict(type='FreeCentroids', num_clusters=6))
    # Three batches per epoch: fewer than the hook asks for.
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
    # Sorted shares 2/3, 1/3 and 0; the uniform share is half of the highest bar.
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
