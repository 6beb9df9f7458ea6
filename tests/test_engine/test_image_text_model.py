"""Checkpoints name the image-text model that they were trained from."""

import shutil

import pytest
import torch

from mmseg_langseg.apis.stored_weights import build_model
from mmseg_langseg.engine.hooks import CheckpointFitHook
from mmseg_langseg.engine.image_text_model import (
    KEY,
    check_image_text_model,
    describe_image_text_model,
)
from mmseg_langseg.fileio import read_checkpoint
from mmseg_langseg.models.clip_loader import load_clip
from tests.test_engine.runners import build_runner
from tests.tiny import VIT, pixelclip, pixelclip_config


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Weight files of two models of one architecture, and a copy of the first."""
    folder = tmp_path_factory.mktemp('weights')
    for seed, name in enumerate('ab'):
        torch.manual_seed(seed)
        torch.save(load_clip(VIT).state_dict(), folder / f'{name}.pt')
    shutil.copy(folder / 'a.pt', folder / 'copy.pt')
    return folder


def trained(weights, name='a'):
    config = pixelclip_config(clip=dict(arch=VIT, pretrained=str(weights / f'{name}.pt')))
    return config


def test_a_checkpoint_of_other_weights_is_refused_in_training_and_test(weights, tmp_path):
    hooks = [dict(type='DatasetVocabularyHook')]
    runner = build_runner(tmp_path / 'one', trained(weights), hooks, iters=1)
    runner.train()
    path = str(tmp_path / 'one' / 'iter_1.pth')
    meta = read_checkpoint(path)['meta'][KEY]
    assert meta['pretrained'].endswith('a.pt') and len(meta['fingerprint']) == 16
    runner.cfg.model = trained(weights, 'copy')
    build_model(runner.cfg, path)  # the same weights at another path
    runner.cfg.model = trained(weights, 'b')
    message = r"iter_1\.pth' was trained from.*'.*a\.pt', but the config has.*'.*b\.pt'"
    with pytest.raises(ValueError, match=message):
        build_model(runner.cfg, path)
    options = dict(load_from=path, resume=True)
    other = build_runner(tmp_path / 'two', trained(weights, 'b'), hooks, iters=2, **options)
    with pytest.raises(ValueError, match=message):
        other.train()


def test_what_is_not_checked():
    model = pixelclip()
    own = describe_image_text_model(model)
    assert own['pretrained'] is None  # its random weights are in the checkpoint
    other = dict(own, arch='ViT-B-16', pretrained='openai')
    for checkpoint in ({}, {'meta': {}}, {'meta': {KEY: own}}, {'meta': {KEY: other}}, [1]):
        check_image_text_model(model, checkpoint, 'a.pth')
    assert describe_image_text_model(torch.nn.Linear(2, 2)) is None
    checkpoint = {'meta': {}}
    runner = type('Runner', (), {'model': torch.nn.Linear(2, 2)})()
    CheckpointFitHook().before_save_checkpoint(runner, checkpoint)
    assert checkpoint == {'meta': {}}
