"""Rules of SCLIP's family: best word of a class, area threshold, then probability threshold."""

import warnings

import numpy as np
import pytest
import torch

from mmseg_langseg.fileio import LangSegWarning
from mmseg_langseg.models.segmentors import ClassLogits, pixel_prediction
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.test_models.test_segmentors.test_language_segmentor import images, predict
from tests.tiny import pixelclip

NAMES = ['background', 'cat, kitten', 'dog, puppy, hound', 'grass', 'sea']
WORDS = Vocabulary.from_names(NAMES, ['sky', 'wall'], separate_synonyms=True)


class GivenLogits(ClassLogits):
    """Logits ``(R, H, W)`` of all words."""

    def __init__(self, scores):
        self.given, self.size, self.score_classes = scores, scores.shape[1:], WORDS.row_classes

    def scores(self, start, stop, rows=None):
        return self.given[start:stop, slice(*(rows or (None,)))].clone()


def slow_labels(scores, classes, scale, threshold, share):
    """Compute labels pixel by pixel from the scores ``(R, H, W)`` of all words."""
    words = np.exp(scale * scores.astype(np.float64))
    words /= words.sum(0)
    size, count = words.shape[1:], max(classes) + 1
    best = np.zeros((count, *size))
    for y, x in np.ndindex(size):
        for row, index in enumerate(classes):
            best[index, y, x] = max(best[index, y, x], words[row, y, x])
    first = best.argmax(0)
    foreground = (first != 0).sum()
    for index in range(1, count):
        if share is not None and (first == index).sum() <= share * foreground:
            best[index] = 0
    labels = best.argmax(0)
    if threshold is not None:
        labels[best.max(0) < threshold] = 0
    return labels


@pytest.mark.parametrize('threshold', [None, 0.2])
@pytest.mark.parametrize('share', [None, 0.2])
@pytest.mark.parametrize('small_chunks', [False, True])
def test_labels_equal_a_slow_reference(threshold, share, small_chunks, monkeypatch):
    if small_chunks:
        monkeypatch.setattr(pixel_prediction, '_BAND_PIXELS', 200)
        monkeypatch.setattr(pixel_prediction, '_CHUNK_BYTES', 200 * 4)
    test_cfg = dict(mode='whole', logit_scale=20.0)
    test_cfg |= {} if threshold is None else dict(threshold=threshold)
    test_cfg |= {} if share is None else dict(area_threshold=share)
    model = pixelclip(test_cfg=test_cfg)
    model.set_vocabulary(WORDS)
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(len(WORDS.rows), 21, 30, generator=generator) / 5
    scores[:, :4] /= 5  # an undecided area
    scores[WORDS.row_classes.index(3)] -= 0.07  # a class that covers little
    labels = model._labels(GivenLogits(scores)).numpy()
    expected = slow_labels(scores.numpy(), WORDS.row_classes, 20.0, threshold, share)
    np.testing.assert_array_equal(labels, expected)
    assert (3 in expected) == (share is None)
    assert (expected[:4] == 0).all() == (threshold is not None)


def test_a_class_has_the_score_of_its_best_word():
    model = pixelclip().eval()
    model.set_vocabulary(WORDS)
    (image,) = images((32, 32))
    logits = predict(model, [image])[0].seg_logits.data
    model.set_vocabulary(Vocabulary.from_names([word for (word,) in WORDS.rows]))
    words = predict(model, [image])[0].seg_logits.data
    assert logits.shape[0] == 5 and words.shape[0] == 9
    for index in range(5):
        own = [row for row, other in enumerate(WORDS.row_classes) if other == index]
        torch.testing.assert_close(logits[index], words[own].amax(0))


@pytest.mark.parametrize('option', ['threshold', 'area_threshold'])
def test_a_threshold_without_background_warns_once(option):
    model = pixelclip(test_cfg=dict(mode='whole', **{option: 0.1}))
    model.set_vocabulary(Vocabulary.from_names(['cat', 'dog', 'background']))
    (image,) = images((32, 32))
    with pytest.warns(LangSegWarning, match=r"that class is 'cat'.*test_cfg\.threshold") as found:
        predict(model, [image])
        predict(model, [image])
    assert sum(issubclass(warning.category, LangSegWarning) for warning in found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter('error', LangSegWarning)
        model.set_vocabulary(WORDS)
        predict(model, [image])
        model.set_vocabulary(Vocabulary.from_names(['Background', 'cat']))
        predict(model, [image])


def test_no_warning_without_a_threshold():
    model = pixelclip(vocabulary='cat; dog')
    with warnings.catch_warnings():
        warnings.simplefilter('error', LangSegWarning)
        predict(model, images((32, 32)))
