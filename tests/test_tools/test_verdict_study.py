"""Study of verdicts without labels: its grid, measurements and tables."""

import importlib

import numpy as np
import pytest
import torch

from mmseg_langseg.masks.formats.rle import encode_masks
from mmseg_langseg.synthetic.renderer import CLASSES, render_scene
from mmseg_langseg.verdict import crop_masks
from tests.scripts import ROOT, load_script


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools' / 'synthetic')
    names = ('measure_verdict_grid', 'study_verdict')
    scripts = [load_script(f'tools/synthetic/{name}.py') for name in names]
    return [importlib.import_module('verdict_grid'), *scripts]


def test_the_halves_share_no_clip_and_no_settings(tools, tmp_path):
    runs = list(tools[0].grid_runs())
    halves = {half: [run for run in runs if run.half == half] for half in ('choose', 'report')}
    assert len(runs) == sum(map(len, halves.values())) == 46
    assert len({(run.name, run.clip_seed) for run in runs}) == 46
    seeds, names, settings = (
        {half: {kind(run) for run in own} for half, own in halves.items()}
        for kind in (
            lambda run: run.clip_seed,
            lambda run: run.name,
            lambda run: (run.config, repr(run.options), run.wrong_masks),
        )
    )
    for values in (seeds, names, settings):
        assert not values['choose'] & values['report']
    for run in (runs[0], next(run for run in runs if run.wrong_masks), runs[-1]):
        cfg = run.load(tmp_path)
        assert cfg.model.clip.pretrained.endswith(f'seed{run.clip_seed}')
        kinds = [step['type'] for step in cfg.train_dataloader.dataset.pipeline]
        assert ('MasksOfAnotherScene' in kinds) == run.wrong_masks
        assert not run.is_finished(tmp_path) and not run.checkpoints(tmp_path)


@pytest.mark.parametrize(('kind', 'cut_out'), [('fill', True), ('wide', False)])
def test_crops_of_the_study_are_those_of_the_package(tools, kind, cut_out):
    scene = render_scene('tune', 3)
    own = [tools[1].crop(scene, mask, kind) for mask in scene.masks]
    rles = encode_masks(scene.masks)
    np.testing.assert_allclose(own, list(crop_masks(scene.image, rles, 64, cut_out)), atol=1e-4)


def test_true_miou_counts_useless_names_as_wrong(tools):
    labels = torch.tensor([[[0, 0, 1, 1]]])
    measurer = tools[1].Measurer.__new__(tools[1].Measurer)
    measurer.scenes = type('Scenes', (), dict(labels=labels))
    every = torch.arange(len(CLASSES)).view(1, 1, -1)
    measurer.scenes.labels = torch.cat([labels, every], 2)
    predicted = torch.cat([torch.tensor([[[0, 17, 1, 0]]]), every], 2)
    # IoU of 2 / 4 for the first class, 2 / 3 for the second, 1 for the others.
    expected = (2 / 4 + 2 / 3 + len(CLASSES) - 2) / len(CLASSES) * 100
    assert measurer._miou(predicted, 19) == pytest.approx(expected)


def case(gain, iteration=1, run=('a', 0)):
    return importlib.import_module('verdict_candidates').Case(
        run, 'pixelclip', iteration, 'plain_raw', gain, {}, {}, {}
    )


def test_rows_of_the_tables(tools):
    study = tools[2]
    gains = np.array([-30.0, -2.0, -0.5, 0.5, 3.0, 9.0])
    line = study.score_line('x', np.array([-20.0, 1.0, 0.3, -0.1, 2.0, 5.0]), gains)
    # A pair of ranks is swapped by two: 1 - 6 * 8 / (6 * 35), near zero 1 - 6 * 8 / (4 * 15). One
    # of four large gains is a loss that is accepted. Errors near zero: 3, 0.8, 0.6 and 1.
    assert line == '| x | 0.771 | 0.200 | 75.0 | 1 | 1.35 |'
    cases = [case(2.0, 1), case(-5.0, 2), case(-3.0, 1, ('b', 0))]
    chosen = study.choice_line('x', cases, np.array([0.5, 1.0, -1.0]))
    assert chosen == '| x | -2.50 | -5.0 | 1 of 2 | 3.50 | 7.0 |'
    last = study.choice_line('x', cases, None)
    assert last == '| x | -4.00 | -5.0 | 2 of 2 | 5.00 | 7.0 |'


def test_mutual_information(tools):
    counts = np.array([[30, 10, 0], [0, 5, 15], [0, 0, 0]])
    joint = counts / 60
    slow = 0.0
    for n in range(2):
        for k in range(3):
            if joint[n, k]:
                slow += joint[n, k] * np.log(joint[n, k] / joint[n].sum() / joint[:, k].sum())
    assert importlib.import_module('verdict_candidates').mutual_information(
        counts
    ) == pytest.approx(slow)
