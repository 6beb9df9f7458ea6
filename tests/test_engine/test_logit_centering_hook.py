from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_langseg.engine.hooks import (
    LogitCenteringHook,
    MaskClusteringHook,
)
from mmseg_langseg.synthetic.renderer import CLASSES
from tests.distributed import run_processes
from tests.test_engine.runners import (
    SCENES,
    VOCABULARY,
    build_runner,
    fake_runner,
    slow_mean,
    zero_shot,
    zeroed,
)
from tests.tiny import pixelclip, training_batch


def test_offset_is_the_mean_logit_and_never_adds_up():
    model = zero_shot()
    expected = slow_mean(model, DATASETS.build(SCENES), 7)
    assert expected.abs().min() > 1e-4
    hook = LogitCenteringHook(SCENES, num_images=7, batch_size=3)
    runner = fake_runner(model)
    for _ in range(2):
        hook.before_test(runner)
        torch.testing.assert_close(model.decode_head.logit_offset, expected, atol=1e-6, rtol=1e-5)
    centered = slow_mean(model, DATASETS.build(SCENES), 7)
    torch.testing.assert_close(centered, torch.zeros_like(centered), atol=1e-6, rtol=0)


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
    LogitCenteringHook(photos, batch_size=4).before_test(fake_runner(model))
    torch.testing.assert_close(model.decode_head.logit_offset, expected, atol=1e-6, rtol=1e-5)


def _offset_and_clusters(rank):
    model = zero_shot()
    LogitCenteringHook(SCENES, num_images=7, batch_size=2).before_test(fake_runner(model))
    centroids = pixelclip(prompts=dict(type='FreeCentroids', num_clusters=3))
    runner = _collecting_runner(centroids, _batches(rank))
    MaskClusteringHook(init_batches=2).before_train(runner)
    centers = centroids.decode_head.prompts.centroids.detach()
    # As arrays: a tensor cannot be read from the queue once its process has ended.
    offset = model.decode_head.logit_offset
    return offset.numpy(), centers.numpy(), runner.logger.info.call_args.args[0]


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
    LogitCenteringHook(SCENES, num_images=7, batch_size=2).before_test(fake_runner(model))
    (offset0, centers0, text0), (offset1, centers1, _) = run_processes(_offset_and_clusters, 2)
    expected = model.decode_head.logit_offset.numpy()
    np.testing.assert_allclose(offset0, expected, atol=1e-6, rtol=1e-5)
    np.testing.assert_array_equal(offset0, offset1)

    one = pixelclip(prompts=dict(type='FreeCentroids', num_clusters=3))
    runner = _collecting_runner(one, _batches(0) + _batches(1))
    MaskClusteringHook(init_batches=4).before_train(runner)
    assert text0 == 'Clusters initialized from 14 mask features.'
    assert text0 == runner.logger.info.call_args.args[0]
    expected = one.decode_head.prompts.centroids.detach().numpy()
    np.testing.assert_allclose(centers0, expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(centers0, centers1)


def test_a_test_run_centers_after_it_has_its_words(tmp_path):
    hooks = [dict(type='LogitCenteringHook', dataset=SCENES, num_images=4), VOCABULARY]
    runner = build_runner(tmp_path, hooks=hooks)
    first = runner.test()
    offset = runner.model.decode_head.logit_offset
    expected = slow_mean(zeroed(runner.model), DATASETS.build(SCENES), 4)
    torch.testing.assert_close(offset, expected, atol=1e-6, rtol=1e-5)
    assert runner.test() == first
