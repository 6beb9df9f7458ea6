"""Models of the page: loaded once, shared by all visitors, with all their warnings."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.apis.image_inputs import ImageInput
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import render_scene
from mmseg_langseg.web.model_pool import ModelPool


@pytest.fixture(scope='module')
def segment():
    return LangSegInferencer('embedded', device='cpu')


def image(index):
    return ImageInput('a.png', lambda: render_scene('test', index).image)


def test_visitors_at_the_same_time_get_their_own_results(segment):
    loaded = []

    def load():
        loaded.append(1)
        time.sleep(0.1)
        return segment

    pool = ModelPool(dict(tiny=load))
    texts = ['ring; star', 'heart; moon; waves', 'fish; house', 'ball; clouds; grass; ring']
    calls = [(index, Vocabulary.from_string(texts[index % 4])) for index in range(16)]
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda call: pool.segment('tiny', image(call[0]), call[1])[0], calls)
        )
    assert loaded == [1]
    for (index, vocabulary), result in zip(calls, found, strict=True):
        expected = segment(image(index), vocabulary)
        assert result.classes == expected.classes
        assert np.array_equal(result.labels, expected.labels)


def test_a_failed_load_is_tried_again(segment):
    attempts = iter([OSError('no network'), segment])

    def load():
        attempt = next(attempts)
        if isinstance(attempt, OSError):
            raise attempt
        return attempt

    pool = ModelPool(dict(tiny=load))
    run = partial(pool.segment, 'tiny', image(0), Vocabulary.from_string('ring; star'))
    with pytest.raises(OSError, match='no network'):
        run()
    assert run()[0].classes == ('ring', 'star')
    with pytest.raises(ValueError, match="no model 'huge'; expected one of tiny"):
        pool.segment('huge', image(0), Vocabulary.from_string('ring'))


def test_each_visitor_gets_all_warnings(segment, monkeypatch):
    monkeypatch.setattr(segment.model.decode_head.text_encoder, 'logit_scale', 1.0)
    pool = ModelPool(dict(tiny=lambda: segment))
    run = partial(pool.segment, 'tiny', image(0))
    unknown = Vocabulary.from_string('zebra; ring')
    for threshold, count in ((None, 1), (None, 1), (0.99, 2), (0.99, 2), (None, 1)):
        notes = run(unknown, threshold=threshold)[1]
        assert len(notes) == count and "'zebra'" in notes[0], notes
        assert count == 1 or 'threshold=0.99 rejects every pixel' in notes[1]
    assert run(Vocabulary.from_string('star; ring'))[1] == []
