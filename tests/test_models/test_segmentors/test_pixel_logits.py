"""Label maps in bounded memory equal those of all logits at once, as the toolbox computes them."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.models import EncoderDecoder, SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_langseg.models.segmentors import (
    LanguageTTAModel,
    compute_logits,
    pixel_prediction,
    predict_labels,
    predict_pixels,
)
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.tiny import VIT, pixelclip

ROWS = ['cat', 'dog', 'tree', 'sky', 'sea', 'sand', 'car']
CLASSES = [0, 1, 2, 3, 3, 3, 4]
WORDS = Vocabulary.from_names(
    ['cat', 'dog', 'tree', 'background', 'car'], background=['sky', 'sea', 'sand']
)
SLIDE = dict(
    test_cfg=dict(mode='slide', crop_size=(32, 40), stride=(24, 16)),
    data_preprocessor=dict(type='CLIPDataPreProcessor'),
)
MODES = dict(
    whole={},
    padded=dict(data_preprocessor=dict(type='CLIPDataPreProcessor', size_divisor=16)),
    slide=SLIDE,
)


@pytest.fixture
def small(monkeypatch, request):
    """Shrink the bounds, so that tiny images are computed in bands and chunks of classes."""
    if request.param:
        monkeypatch.setattr(pixel_prediction, '_BAND_PIXELS', 300)
        monkeypatch.setattr(pixel_prediction, '_CHUNK_BYTES', 4 * 300 * 2)
        monkeypatch.setattr('mmseg_langseg.models.segmentors.pixel_logits._KEPT_BYTES', 0)
    return request.param


def build(mode):
    model = pixelclip(**copy.deepcopy(MODES[mode])).eval()
    model.set_vocabulary(WORDS)
    center(model)
    return model


def center(model):
    """Subtract the mean logits of a batch, so that every class wins somewhere."""
    data = batch(model)
    with torch.no_grad():
        means = model.decode_head(model.extract_feat(data['inputs'])).mean((0, 2, 3))
    model.decode_head.set_logit_offset(means)


def batch(model, flip=None):
    """Return two preprocessed images of different sizes whose labels are asked at another size."""
    generator = torch.Generator().manual_seed(0)
    images, samples = [], []
    for size, original in [((40, 56), (61, 83)), ((50, 45), (30, 27))]:
        images.append(torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8))
        meta = dict(ori_shape=original, img_shape=size)
        if flip:
            meta.update(flip=True, flip_direction=flip)
        samples.append(SegDataSample(metainfo=meta))
    return model.data_preprocessor(dict(inputs=images, data_samples=samples), False)


def expected_logits(model, data):
    """Return the logits of all classes from the toolbox's prediction with a class per row."""
    plain = copy.deepcopy(model)
    plain.set_vocabulary(Vocabulary.from_names(ROWS))
    plain.decode_head.set_logit_offset(model.decode_head.logit_offset[torch.tensor(CLASSES)])
    with torch.no_grad():
        results = EncoderDecoder.predict(plain, **copy.deepcopy(data))
    rows = [result.seg_logits.data for result in results]
    index = torch.tensor(CLASSES)
    return [torch.stack([one[index == k].amax(0) for k in range(5)]) for one in rows], rows


@pytest.mark.parametrize('small', [False, True], indirect=True)
@pytest.mark.parametrize('flip', [None, 'horizontal', 'vertical'])
@pytest.mark.parametrize('mode', list(MODES))
@torch.no_grad()
def test_predictions_equal_those_of_all_logits_at_once(mode, flip, small):
    model = build(mode)
    data = batch(model, flip)
    expected, rows = expected_logits(model, data)
    metas = [sample.metainfo for sample in data['data_samples']]
    for logits, full, all_rows in zip(
        compute_logits(model, data['inputs'], metas), expected, rows, strict=True
    ):
        torch.testing.assert_close(logits.classes(0, 5), full, rtol=0, atol=1e-6)
        assert torch.equal(predict_labels(logits), full.argmax(0))
        assert len(full.argmax(0).unique()) == 5
        found = predict_pixels(logits, 20.0, keep_probabilities=True)
        assert torch.equal(found.labels, full.argmax(0))
        probability = (20 * full - (20 * all_rows).logsumexp(0)).exp()
        best = probability.topk(2, 0).values
        torch.testing.assert_close(found.scores, best[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(found.margin, best[0] - best[1], rtol=0, atol=1e-5)
        torch.testing.assert_close(
            found.probabilities.float(), probability, rtol=0, atol=1e-3, check_dtype=False
        )
    results = model.predict(**data)
    for result, full in zip(results, expected, strict=True):
        assert torch.equal(result.pred_sem_seg.data[0], full.argmax(0))
        assert 'seg_logits' not in result


@pytest.mark.parametrize('small', [True], indirect=True)
def test_chunks_hold_few_classes_and_rows(small):
    model = build('slide')
    data = batch(model)
    metas = [sample.metainfo for sample in data['data_samples']]
    sizes = []
    with torch.no_grad():
        logits = compute_logits(model, data['inputs'], metas)[0]
        real = logits.scores
        logits.scores = lambda *args: sizes.append(real(*args)) or sizes[-1]
        predict_pixels(logits, 20.0)
    assert max(scores.shape[1] * scores.shape[2] for scores in sizes) <= 300
    # Two rows, or as many more as the background has.
    assert max(scores.numel() for scores in sizes) <= 4 * 300


@torch.no_grad()
def test_the_first_of_equal_classes_wins():
    model = build('whole')
    model.set_vocabulary(Vocabulary.from_names(['a', 'b', 'c']))
    model.decode_head.text_rows[:] = model.decode_head.text_rows[:1]
    data = batch(model)
    metas = [sample.metainfo for sample in data['data_samples']]
    for logits in compute_logits(model, data['inputs'], metas):
        found = predict_pixels(logits, 20.0)
        assert not found.labels.any() and not predict_labels(logits).any()
        torch.testing.assert_close(found.scores, torch.full(logits.size, 1 / 3))
        assert not found.margin.any()


@pytest.mark.parametrize('small', [False, True], indirect=True)
@torch.no_grad()
def test_heads_that_need_all_classes(small):
    model = MODELS.build(
        ConfigDict(
            type='LanguageSegmentor',
            clip=dict(arch=VIT, pretrained=None),
            data_preprocessor=dict(type='CLIPDataPreProcessor', input_size=(32, 32)),
            backbone=dict(type='CLIPVisionTransformer', readout='value', with_keys=True),
            decode_head=dict(
                type='MaskCLIPHead', feature_size=None, key_smoothing=1.0, prompt_denoising=0.1
            ),
            test_cfg=dict(mode='whole'),
        )
    ).eval()
    model.set_vocabulary(WORDS)
    data = batch(model)
    expected = EncoderDecoder.predict(model, **copy.deepcopy(data))
    for result, plain in zip(model.predict(**data), expected, strict=True):
        assert torch.equal(result.pred_sem_seg.data, plain.pred_sem_seg.data)


@pytest.mark.parametrize('small', [False, True], indirect=True)
@pytest.mark.parametrize('mode', ['whole', 'slide'])
@torch.no_grad()
def test_augmented_views_are_averaged_as_in_the_toolbox(mode, small):
    model = build(mode)
    model.set_vocabulary(Vocabulary.from_names(ROWS))
    center(model)
    generator = torch.Generator().manual_seed(1)
    image = torch.randint(0, 256, (3, 40, 56), generator=generator, dtype=torch.uint8)
    inputs, samples = [], []
    for flip in (False, True):
        meta = dict(ori_shape=(61, 83), img_shape=(40, 56), flip=flip, img_path='a.png')
        meta['flip_direction'] = 'horizontal' if flip else None
        inputs.append([image.flip(2) if flip else image])
        samples.append([SegDataSample(metainfo=meta)])
    data = dict(inputs=inputs, data_samples=samples)
    (found,) = LanguageTTAModel(model).test_step(copy.deepcopy(data))
    model.test_cfg['keep_logits'] = True
    (expected,) = SegTTAModel(module=model).test_step(data)
    assert torch.equal(found.pred_sem_seg.data, expected.pred_sem_seg.data)
    assert len(found.pred_sem_seg.data.unique()) > 4
