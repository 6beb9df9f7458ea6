"""The whole test of NACLIP: windows, several words per class, PAMR, threshold, label maps."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS

from mmseg_langseg.models.segmentors import compute_logits, pixel_prediction
from mmseg_langseg.models.segmentors.class_logits import best_rows
from mmseg_langseg.models.text_encoders import Vocabulary
from tests import golden

PAMR = dict(dilations=(8, 16), steps=10)
SLIDE = dict(mode='slide', crop_size=(64, 64), stride=(32, 32))
CASES = dict(
    slide=SLIDE,
    whole=dict(mode='whole', resize_directly=False),
    slide_pamr=dict(SLIDE, pamr=PAMR),
    threshold=SLIDE,
)


@pytest.fixture(autouse=True)
def _float32_convolutions(monkeypatch):
    """On a GPU, torch computes convolutions in TF32 unless told otherwise."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return golden.vit_file(tmp_path_factory.mktemp('weights'))


def build(weights, **test_cfg):
    """Return NACLIP with the classes and embeddings of the golden."""
    arrays = golden.load('protocol')
    model = MODELS.build(
        ConfigDict(
            type='LanguageSegmentor',
            clip=dict(arch=golden.vit_arch(), pretrained=weights),
            data_preprocessor=dict(type='CLIPDataPreProcessor'),
            backbone=dict(type='CLIPVisionTransformer', readout='naclip'),
            decode_head=dict(type='LanguageHead', feature_size=None),
            test_cfg=dict(test_cfg, logit_scale=40.0),
        )
    ).eval()
    head = model.decode_head
    names = ['background', *(f'c{i}' for i in range(1, 6))]
    head._set_classes(Vocabulary.from_names(names))
    head.text_rows = torch.from_numpy(arrays['rows_embedding'])
    head.row_class = golden.tensor('protocol', 'query_idx')
    return model.to(golden.DEVICE)


def prepared(model):
    arrays = golden.load('protocol')
    image = torch.from_numpy(arrays['image_u8'])[None].to(golden.DEVICE)
    inputs = (image.float() - model.data_preprocessor.mean) / model.data_preprocessor.std
    return inputs, dict(ori_shape=tuple(arrays['ori_shape'].tolist()))


@pytest.mark.parametrize('bands', [False, True])
@pytest.mark.parametrize('case', list(CASES))
@torch.no_grad()
def test_equals_the_official_code(weights, case, bands, monkeypatch):
    if bands:
        monkeypatch.setattr(pixel_prediction, '_BAND_PIXELS', 2000)
        monkeypatch.setattr(pixel_prediction, '_CHUNK_BYTES', 2000 * 4 * 2)
    arrays = golden.load('protocol')
    options = dict(CASES[case])
    if case == 'threshold':
        options['threshold'] = float(arrays['threshold.prob_thd'])
    model = build(weights, **options)
    inputs, meta = prepared(model)
    if f'{case}.logits' in arrays:
        own = dict(ori_shape=tuple(inputs.shape[2:]))
        (logits,) = compute_logits(model, inputs, [own])
        found = logits.scores(0, len(logits.score_classes)).cpu().numpy()
        np.testing.assert_allclose(found, arrays[f'{case}.logits'], rtol=0, atol=2e-5)
    (logits,) = compute_logits(model, inputs, [meta])
    words = (40 * logits.scores(0, 8)).softmax(0)
    probabilities = best_rows(words, logits.score_classes)
    probabilities = (probabilities / probabilities.sum(0)).cpu().numpy()
    np.testing.assert_allclose(probabilities, arrays[f'{case}.probs'], rtol=0, atol=2e-4)
    labels = model._labels(logits).cpu().numpy()
    assert (labels != arrays[f'{case}.labels']).mean() <= 1e-3


@torch.no_grad()
def test_pamr_refines_bands_like_the_whole_image(weights, monkeypatch):
    model = build(weights, **SLIDE, pamr=dict(dilations=(1, 2), steps=3))
    inputs, meta = prepared(model)
    (logits,) = compute_logits(model, inputs, [meta])
    whole = logits.scores(0, 8)
    assert not torch.allclose(whole, logits._logits.scores(0, 8), atol=1e-4)
    for first, last in [(0, 20), (20, 61), (61, 100)]:
        band = logits.scores(2, 5, (first, last))
        torch.testing.assert_close(band, whole[2:5, first:last], rtol=0, atol=1e-6)
