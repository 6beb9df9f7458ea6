"""Training of the bundled vision transformer against the text tower of a bundled CLIP."""

import numpy as np
import pytest
import torch

from mmseg_langseg.models import load_clip
from mmseg_langseg.models.backbones import CLIPVisionTransformer
from mmseg_langseg.models.clip_loader import ASSETS
from tests.scripts import ROOT, load_script

TEACHER = ASSETS / 'clip_resnet_tiny_seed0.pth'
CAPTIONS = ['a photo of a ring', 'a photo of a star on grass', 'a photo of a ring']
IMAGES = np.random.default_rng(0).integers(256, size=(3, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools' / 'synthetic')
    return [load_script(f'tools/synthetic/{name}.py') for name in ('locked_text', 'evaluate_clip')]


def test_only_the_image_tower_is_trained_and_the_file_loads(tools, tmp_path):
    locked_text, evaluate_clip = tools
    training = locked_text.LockedTextTraining(TEACHER, IMAGES, CAPTIONS, 0, 10.0)
    model = training.model
    images = torch.randn(3, 3, 40, 40)
    loss = training.loss(images, [0, 1, 2])
    loss.backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {f'visual.{name}' for name, _ in model.visual.named_parameters()}
    assert all(model.get_parameter(name).grad is not None for name in trained)
    # The distillation is the cosine distance from the teacher: without it, the loss is smaller.
    training.distillation = 0.0
    torch.manual_seed(0)
    plain = training.loss(images, [0, 1, 2])
    assert plain < loss

    path = tmp_path / 'clip.pth'
    torch.save(training.finish(), path)
    loaded = load_clip(training.arch, path)
    whole = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted = loaded.visual(whole)
        torch.testing.assert_close(locked_text.encode_crops(model.visual, whole), wanted)
        dense = evaluate_clip.dense_features(model, whole)
        tower = CLIPVisionTransformer(training.arch, str(path), readout='value')
        torch.testing.assert_close(dense, tower.eval()(whole)[0])


def test_equal_captions_are_positives_of_one_another(tools):
    training = tools[0].LockedTextTraining(TEACHER, IMAGES, CAPTIONS, 0, 0.0)
    assert training.captions.tolist()[0] == training.captions.tolist()[2]
    texts = training.texts[training.captions]
    with torch.no_grad():
        torch.manual_seed(1)
        loss = training.loss(torch.zeros(3, 3, 64, 64), [0, 1, 2])
        image = torch.nn.functional.normalize(training.model.visual(torch.zeros(1, 3, 64, 64)))
    scores = training.model.logit_scale.exp() * (image @ texts.T)[0]
    rows = torch.log_softmax(scores, 0)
    by_image = -(2 * (rows[0] + rows[2]) / 2 + rows[1]) / 3
    by_text = torch.log(torch.tensor(3.0))  # equal images: each as likely
    torch.testing.assert_close(loss, (by_image + by_text) / 2)


def test_a_teacher_of_another_kind_is_named(tools, tmp_path):
    torch.save({'weight': torch.zeros(1)}, tmp_path / 'w.pth')
    with pytest.raises(ValueError, match=r"w\.pth' is not a compact CLIP file"):
        tools[0].LockedTextTraining(tmp_path / 'w.pth', IMAGES, CAPTIONS, 0, 1.0)
