"""Adaptation to photos without labels, from the photos to the report."""

from __future__ import annotations

import json
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmseg.registry import MODELS
from PIL import Image

from mmseg_langseg.adaptation import (
    Adaptation,
    Candidate,
    Judged,
    adapt,
    adaptation_run,
    choose,
    split_photos,
)
from mmseg_langseg.adaptation.measurements import Measurements
from mmseg_langseg.adaptation.training_config import (
    inference_config,
    snapshot_iterations,
    training_config,
)
from mmseg_langseg.cli import commands
from mmseg_langseg.engine.hooks import WeightsSnapshotHook
from mmseg_langseg.masks.runs.mask_run import MaskRun
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import render_scene
from mmseg_langseg.verdict import Verdict
from mmseg_langseg.verdict.untrained_features import untrained_features
from tests.tiny import clips4_config

TEXTS = 'ring, hoop; star; <b>fish</b>; grass; waves'
ODD_NAME = "<i>a&b'.png"


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'photos'
    folder.mkdir()
    names = [ODD_NAME, *(f'{number}.png' for number in range(12))]
    for number, name in enumerate(names):
        Image.fromarray(render_scene('train', number).image).save(folder / name)
    (folder / '<u>bad.jpg').write_bytes(b'not a picture')
    return folder


def run(photos: Path, out: Path, **changes):
    options = dict(model='embedded', iterations=2, batch_size=2, progress=False, say=_ignore)
    # MMEngine formats the whole config for each file of weights, which takes most of the time.
    options['cfg_options'] = {'model.decode_head.prompts.words': ['sun', 'sea', 'home', 'sky']}
    return adapt(photos, TEXTS, out, **{**options, **changes})


def _ignore(line: str) -> None:
    pass


class _Killed(BaseException):
    pass


def _killed_in(owner: object, name: str, calls: int) -> pytest.MonkeyPatch:
    """Raise after so many calls of a function, like a kill between two files."""
    patch, original, count = pytest.MonkeyPatch(), getattr(owner, name), [0]

    def call(*args, **kwargs):
        count[0] += 1
        if count[0] > calls:
            raise _Killed
        return original(*args, **kwargs)

    patch.setattr(owner, name, call)
    return patch


@pytest.fixture(scope='module')
def killed(photos, tmp_path_factory):
    """Output folder of a run that was killed in each of its stages."""
    out = tmp_path_factory.mktemp('killed') / 'out'
    stages = [
        (MaskRun, 'make', 5, 'masks'),
        (WeightsSnapshotHook, 'after_train_iter', 1, 'candidates/iter_1.pth'),
        (Measurements, '_measure', 2, 'measurements/zero-shot_center.npz'),
        (adaptation_run, 'write_report', 0, 'verdict.json'),
    ]
    for owner, name, calls, written in stages:
        patch = _killed_in(owner, name, calls)
        with pytest.raises(_Killed):
            run(photos, out)
        patch.undo()
        assert (out / written).exists() and not (out / 'report.html').exists()
    run(photos, out)
    return out


@pytest.fixture(scope='module')
def undisturbed(photos, tmp_path_factory):
    """Result and output folder of a run in which the last candidate was chosen."""
    out = tmp_path_factory.mktemp('undisturbed') / 'out'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation_run, 'choose', lambda judged: judged[-1])
        return run(photos, out), out


def test_a_killed_run_ends_like_an_undisturbed_one(killed, undisturbed):
    result, out = undisturbed
    verdict = json.loads((killed / 'verdict.json').read_text(encoding='utf-8'))
    expected = json.loads((out / 'verdict.json').read_text(encoding='utf-8'))
    for one, other in zip(verdict['candidates'], expected['candidates'], strict=True):
        assert {**one, **_paths(other)} == {**other, **_paths(other)}
    for key in ('held_out', 'trained', 'unusable', 'settings', 'notes'):
        assert verdict[key] == expected[key]
    assert verdict['chosen'] == choose(result.judged).candidate.name
    names = [one.candidate.name for one in result.judged]
    plain = ['zero-shot', 'iteration 1', 'iteration 2']
    assert names == [name + end for name in plain for end in ('', ', centered')]
    assert len(result.held_out) == 8 and len(result.trained) == 5
    assert [name for name, _ in result.unusable] == ['<u>bad.jpg']
    for one in result.judged[2:]:  # another model predicts something else
        file = out / 'measurements' / f'{one.candidate.file_stem}.npz'
        with np.load(file) as own, np.load(file.with_name('zero-shot.npz')) as untrained:
            assert own['counts'].shape == untrained['counts'].shape
            assert (own['counts'] != untrained['counts']).any()


def _paths(candidate: dict) -> dict:
    return {key: candidate[key] for key in ('weights', 'cfg_options')}


def test_the_command_of_the_report_segments_with_the_chosen_model(
    photos, undisturbed, tmp_path, capsys
):
    result, out = undisturbed
    assert "'iteration 2, centered' is better than zero-shot CLIP" in result.answer
    moved = tmp_path / 'moved'
    shutil.copytree(out, moved)
    command = shlex.split(result.command.replace(str(out), str(moved)))
    assert command[:3] == ['langseg', 'segment', str(photos)] and 'iter_2.pth' in result.command
    (out / 'candidates').rename(out / 'gone')
    commands._main([*command[1:], '--quiet', '--format', 'labels'])
    (out / 'gone').rename(out / 'candidates')
    assert '13 images segmented, 1 could not be read' in capsys.readouterr().out


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags, self.texts, self.sources = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        self.sources += [values[key] for key in ('src', 'href') if key in values]
        assert tag != 'img' or values['alt']

    def handle_data(self, data):
        self.texts.append(data)


def test_the_report_is_one_page_with_escaped_names(killed):
    page = _Page()
    page.feed((killed / 'report.html').read_text(encoding='utf-8'))
    assert page.tags.count('img') == 3 * 8
    assert all(source.startswith('data:image/jpeg;base64,') for source in page.sources)
    assert {'b', 'i', 'u', 'script', 'link'}.isdisjoint(page.tags)
    text = ' '.join(page.texts)
    assert '<b>fish</b>' in text and '<u>bad.jpg' in text
    assert json.loads((killed / 'verdict.json').read_text(encoding='utf-8'))['answer'] in text


def test_other_settings_are_refused_with_both_values(photos, killed):
    with pytest.raises(ValueError, match=r'iterations was 2, is 3'):
        run(photos, killed, iterations=3)
    with pytest.raises(ValueError, match=r"masks was 'generated', is '.*photos'"):
        run(photos, killed, masks=photos)


def test_unsuitable_folders_are_refused_before_anything_is_written(photos, tmp_path):
    with pytest.raises(ValueError, match='is in the folder of photos'):
        run(photos, photos / 'out')
    few = tmp_path / 'few'
    few.mkdir()
    for number in range(3):
        shutil.copy(photos / f'{number}.png', few)
    with pytest.raises(ValueError, match='photos: 3; at least 12 are needed'):
        run(few, tmp_path / 'out')
    assert not (photos / 'out').exists() and not (tmp_path / 'out').exists()
    with pytest.raises(ValueError, match="'maskclip-rn50' has no config for training on photos"):
        run(photos, tmp_path / 'out', model='maskclip-rn50')
    with pytest.raises(ValueError, match='trains on SyntheticScenesDataset'):
        run(photos, tmp_path / 'out', model='pixelclip/resnet_synthetic')


@pytest.mark.parametrize(
    'intervals, name',
    [
        ([(-1, 9), (-3, -1)], 'zero-shot'),  # nothing is certain to be better
        ([(1, 9), (2, 4)], '2'),  # the highest lower end
    ],
)
def test_the_choice_is_zero_shot_unless_an_interval_is_above_zero(intervals, name):
    judged = [Judged(Candidate('zero-shot'), Verdict(0, 0, 0, {}))]
    for number, (low, high) in enumerate(intervals, 1):
        verdict = Verdict((low + high) / 2, low, high, {})
        judged.append(Judged(Candidate(str(number)), verdict))
    assert choose(judged).candidate.name == name


@pytest.mark.parametrize(
    'chosen, training, start',
    [
        (
            'zero-shot',
            None,
            'It is not certain that anything was gained, so zero-shot CLIP is kept',
        ),
        ('zero-shot, centered', None, 'The best model needs no training'),
        ('trained', None, "Training helped: 'trained' is better than zero-shot CLIP by"),
        ('trained', (2, 1, 3), "Training helped: 'trained' is better than zero-shot CLIP by"),
        ('trained', (2, -1, 5), "Better: 'trained' is better than zero-shot CLIP by an estimated"),
    ],
)
def test_the_answer_tells_training_from_centering(chosen, training, start):
    names = {'zero-shot': (0, 0, 0), 'zero-shot, centered': (3, 1, 5), 'trained': (5, 3, 7)}
    if chosen == 'zero-shot':
        names = {'zero-shot': (0, 0, 0), 'trained': (1, -1, 3)}
    judged = [
        Judged(Candidate(name, 'iter_1.pth' if name == 'trained' else None), Verdict(*values, {}))
        for name, values in names.items()
    ]
    verdict = training and Verdict(*training, {})
    own = next(one for one in judged if one.candidate.name == chosen)
    answer = Adaptation(own, judged, '', [], [], [], {}, training=verdict).answer
    assert answer.startswith(start)
    if training == (2, -1, 5):
        assert 'not certain that this is due to the training' in answer
        assert "'zero-shot, centered', which needs none, is better by +3.0" in answer
        assert 'is at +2.0 mIoU (interval -1.0 to +5.0) from it' in answer


def test_a_judge_that_knows_nothing_keeps_zero_shot():
    untrained = Judged(Candidate('zero-shot'), Verdict(0, 0, 0, {}, informed=False))
    trained = Judged(Candidate('trained', 'iter_1.pth'), Verdict(30, 20, 40, {}, informed=False))
    judged = [untrained, trained]
    assert choose(judged) is untrained
    answer = Adaptation(untrained, judged, '', [], [], [], {}).answer
    assert (
        answer.startswith('No gain can be shown, so zero-shot CLIP is kept') and '30' not in answer
    )


def test_held_out_photos_are_the_same_for_every_order_and_never_all():
    names = [f'{number}.jpg' for number in range(2000)]
    held, trained = split_photos(names)
    assert len(held) == 200 and sorted([*held, *trained]) == sorted(names)
    assert split_photos(names[::-1]) == (held, trained)
    assert len(split_photos(names, 0.5)[0]) == 1000
    assert len(split_photos(names[:12])[0]) == 8
    with pytest.raises(ValueError, match=r'share of 0\.99 leaves 0 of 13'):
        split_photos(names[:13], 0.99)


def test_the_schedule_is_scaled_and_the_names_are_the_known_classes():
    words = Vocabulary.parse('dog, puppy; sky')
    cfg = training_config('clips4/r50_photos', words, iterations=100)
    assert cfg.model.decode_head.known == ['dog, puppy', 'sky']
    warmup, decay = cfg.param_scheduler
    assert (warmup.begin, warmup.end, decay.begin, decay.end) == (0, 1, 1, 100)
    assert snapshot_iterations(cfg) == [*range(10, 101, 10)]
    assert snapshot_iterations(training_config('embedded', words, iterations=3)) == [1, 2, 3]


def test_zero_shot_of_a_student_is_its_teacher():
    torch.manual_seed(0)
    model = clips4_config()
    words = Vocabulary.from_string('cat; dog; tree')
    student = MODELS.build(ConfigDict(model)).eval()
    cfg = inference_config(Config(dict(model=model)), Candidate('zero-shot'))
    zero_shot = MODELS.build(cfg.model).eval()
    # Random weights, which public ones would not be.
    zero_shot.backbone.load_state_dict(student.teacher.tower.state_dict())
    for one in (student, zero_shot):
        one.set_vocabulary(words)
    zero_shot.decode_head.text_rows.copy_(student.decode_head.text_rows)
    images = torch.randn(2, 3, 40, 56)
    with torch.no_grad(), untrained_features(student):
        expected = student.encode_decode(images, [{}] * 2)
        torch.testing.assert_close(zero_shot.encode_decode(images, [{}] * 2), expected)
    trained = inference_config(Config(dict(model=model)), Candidate('trained', 'iter_1.pth'))
    assert trained.model.type == 'CLIPS4'
