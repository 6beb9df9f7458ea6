"""Ranking of models and settings, and the queue of photos, on photos without labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmseg_langseg.apis import rank_models as rank_module
from mmseg_langseg.apis.inferencer import LangSegInferencer
from mmseg_langseg.apis.judge import judge_masks
from mmseg_langseg.apis.label_queue import label_queue
from mmseg_langseg.apis.rank_models import Candidate, candidates, rank_models, unlike_best
from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.masks.formats import encode_masks
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import render_scene
from mmseg_langseg.verdict import Photo, compare, estimated_miou, measure
from tests.tiny import CONV, VIT, pixelclip_config

SCENES = [render_scene('tune', number) for number in range(6)]
PHOTOS = [
    Photo(f'{number}.png', lambda scene=scene: scene.image, encode_masks(scene.masks))
    for number, scene in enumerate(SCENES)
]
WORDS = Vocabulary.parse('ring; cross; grass')
WIDE = {**VIT, 'vision_cfg': {**VIT['vision_cfg'], 'width': 48}}
TOWERS = dict(vit=VIT, wide=WIDE, conv=CONV)


def load(model, weights, options):
    torch.manual_seed(3)
    cfg = Config(dict(model=pixelclip_config(TOWERS[model])))
    return LangSegInferencer(cfg, weights, 'cpu', options or None)


@pytest.fixture(scope='module')
def models():
    found = {name: load(name, None, {}) for name in TOWERS}
    for segment in found.values():
        segment.model.set_vocabulary(WORDS)
    return found


def rank(entries, *judges, photos=PHOTOS):
    return rank_models(entries, WORDS, photos, load, judges, quiet=True)


def test_each_image_text_model_judges_and_no_candidate_is_favored(models):
    ranking = rank([Candidate('vit'), Candidate('wide'), Candidate('vit', templates='imagenet')])
    assert ranking.judges == ['vit', 'wide']
    beliefs = [judge_masks(models[name], WORDS, PHOTOS)[0] for name in ranking.judges]
    seen = [measure(models[name].model, models[name].prepare, PHOTOS) for name in ranking.judges]
    judged = np.mean(beliefs, axis=0).argmax(1)
    for one, evidence in zip(ranking.ranks, seen, strict=False):
        assert one.miou == pytest.approx(estimated_miou(judged, evidence)) and one.has_judge
    assert ranking.ranks[0].difference is None
    # Random weights know no names, so nothing is decided.
    verdict = compare(judged, *seen, informed=False)
    assert not ranking.informed and verdict.decision == 'undecided'
    assert ranking.ranks[1].difference == verdict
    best = max(ranking.ranks, key=lambda one: one.miou)
    assert [one.from_best is None for one in ranking.ranks].count(True) == 1
    assert best.from_best is None and unlike_best(best) == 'best'
    assert len({one.miou for one in ranking.ranks}) > 1

    ranking = rank([Candidate('vit'), Candidate('wide')], 'wide')
    assert [one.has_judge for one in ranking.ranks] == [False, True]
    assert ranking.ranks[1].miou == pytest.approx(estimated_miou(beliefs[1].argmax(1), seen[1]))


def test_judges_that_do_not_know_the_names_are_left_out(models, monkeypatch):
    judged = iter([False, True])
    monkeypatch.setattr(
        rank_module, 'judge_masks', lambda *given: (judge_masks(*given)[0], next(judged))
    )
    ranking = rank([Candidate('vit'), Candidate('wide')])
    assert ranking.judges == ['wide'] and ranking.informed
    assert [one.has_judge for one in ranking.ranks] == [False, True]


def test_a_threshold_only_rejects():
    first = Candidate('vit')
    all_kept, all_rejected = (replace(first, threshold=value) for value in (0.0, 1.0))
    plain, kept, rejected = rank([first, all_kept, all_rejected]).ranks
    assert kept.miou == pytest.approx(plain.miou) and rejected.miou == 0
    assert kept.difference.gain == pytest.approx(0)
    assert plain.miou == pytest.approx(rank([first, Candidate('wide')], 'vit').ranks[0].miou)
    assert rejected.difference.gain == pytest.approx(-plain.miou)


def test_towers_without_readouts_are_ranked_once():
    entries = candidates([('vit', None), ('conv', None)], readouts=['value', 'tokens'])
    assert len(entries) == 4
    ranks = rank(entries, 'conv').ranks
    assert [(one.candidate.model, one.candidate.readout) for one in ranks] == [
        *(('vit', 'value'), ('vit', 'tokens'), ('conv', None))
    ]
    assert ranks[0].miou != ranks[1].miou
    assert ranks[1].candidate.name == 'vit, readout tokens'


def test_errors_say_what_is_missing():
    with pytest.raises(ValueError, match='4 usable photos; expected at least 5'):
        rank([Candidate('vit'), Candidate('wide')], photos=PHOTOS[:4])
    with pytest.raises(ValueError, match="Only 'vit' is to be ranked"):
        candidates([('vit', None)])
    with pytest.raises(ValueError, match=r"'vit=a\.pth, threshold 0\.5' is to be ranked twice"):
        candidates([('vit', 'a.pth')], thresholds=[0.5, 0.5])


def test_the_queue_begins_with_the_photos_that_the_judge_would_label_otherwise(models):
    belief, _ = judge_masks(models['wide'], WORDS, PHOTOS)
    queue = label_queue(models['vit'], belief, WORDS, PHOTOS, quiet=True)
    rows = iter(belief)
    expected = {}
    for photo, scene in zip(PHOTOS, SCENES, strict=True):
        result = models['vit'](scene.image, WORDS)
        regions = masks_to_regions(photo.masks, 64, 64)
        own = np.stack([next(rows) for _ in photo.masks])
        inside = regions > 0
        right = own[regions[inside] - 1, result.labels[inside]].mean()
        expected[photo.name] = (1 - right, result.margin.mean())
    assert [one.name for one in queue] == sorted(expected, key=lambda n: -expected[n][0])
    for one in queue:
        assert (one.disagreement, one.margin) == pytest.approx(expected[one.name], abs=1e-6)
