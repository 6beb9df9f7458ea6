"""Scores without labels that the study of verdicts compares, and the cases that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmseg_langseg.verdict import Evidence, Verdict, compare, estimated_miou

import numpy as np
from verdict_grid import grid_runs

VOCABULARIES, KINDS = ('plain', 'useless'), ('raw', 'centered')
# Weights of the package's verdict.
VERDICT = dict(fill=1.0, wide=1.0, pool=0.5)
NEAR = 6.0
"""True gains within this are near zero."""
RIDGE = 0.1


@dataclass
class Case:
    """A checkpoint compared with the untrained model, with the same logits and class names.

    Attributes:
        run: Name of the settings and seed of the CLIP.
        method: ``pixelclip`` or ``clips4``.
        iteration: Iterations of training.
        key: Class names and logits.
        gain: True difference in mIoU.
        before: What was measured with the untrained model.
        after: What was measured with the checkpoint.
        judge: What the untrained model says about the masks.
    """

    run: tuple[str, int]
    method: str
    iteration: int
    key: str
    gain: float
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]
    judge: dict[str, np.ndarray]

    def evidence(self) -> tuple[Evidence, Evidence]:
        """Return the predictions of both models by region."""
        photo = self.judge['photo']
        counts = (part['region'].astype(np.int64) for part in (self.before, self.after))
        return tuple(Evidence(photo, own) for own in counts)

    def scores(self, **weights: float) -> np.ndarray:
        """Return centered scores of each mask ``(N, K)``, from weighted kinds of crops."""
        names = self.key.split('_')[0]
        return sum(
            weight * (rows := self.judge[f'{names}_{kind}'].astype(float)) - weight * rows.mean(0)
            for kind, weight in weights.items()
        )

    def judged(self, **weights: float) -> np.ndarray:
        """Return the class of each mask, from weighted kinds of crops."""
        return self.scores(**weights).argmax(1)

    def verdict(self) -> Verdict:
        """Return the verdict of the package."""
        return compare(self.judged(**VERDICT), *self.evidence())


def load_cases(folder: Path, half: str) -> list[Case]:
    """Return all cases of a half of the grid."""
    cases = []
    for run in grid_runs():
        if run.half != half:
            continue
        own = run.folder(folder)
        untrained = dict(np.load(own.with_name('untrained.npz')))
        for path in sorted(own.glob('iter_*.npz'), key=lambda path: int(path.stem[5:])):
            trained = dict(np.load(path))
            for key in (f'{names}_{kind}' for names in VOCABULARIES for kind in KINDS):
                before, after = (_part(arrays, key) for arrays in (untrained, trained))
                gain = float(after['truth'] - before['truth'])
                name, iteration = (run.name, run.clip_seed), int(path.stem[5:])
                cases.append(Case(name, run.method, iteration, key, gain, before, after, untrained))
    return cases


def _part(arrays: dict[str, np.ndarray], key: str) -> dict[str, np.ndarray]:
    names = ('truth', 'region', 'flip', 'margin', 'entropy')
    return {name: arrays[f'{key}_{name}'] for name in names}


def _miou(**weights: float) -> Callable[[Case], float]:
    def score(case: Case) -> float:
        judged = case.judged(**weights)
        first, second = (estimated_miou(judged, own) for own in case.evidence())
        return second - first

    return score


def _accuracy(case: Case) -> float:
    judged = case.judged(**VERDICT)
    rows = np.arange(len(judged))
    first, second = (
        own.counts[rows, judged].sum() / own.counts.sum() * 100 for own in case.evidence()
    )
    return float(second - first)


def _sure(case: Case) -> float:
    """Estimated mIoU on the half of the masks that are judged with the larger lead."""
    scores = np.sort(case.scores(**VERDICT))
    lead = scores[:, -1] - scores[:, -2]
    kept = lead >= np.median(lead)
    judged = case.judged(**VERDICT)[kept]
    first, second = (
        estimated_miou(judged, Evidence(own.photo[kept], own.counts[kept]))
        for own in case.evidence()
    )
    return second - first


def _information(case: Case) -> float:
    first, second = (mutual_information(own.counts) for own in case.evidence())
    return 10 * (second - first)


def mutual_information(counts: np.ndarray) -> float:
    """Return the mutual information in nats of regions and predicted classes, by pixels."""
    joint = counts / counts.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    held = joint > 0
    return float((joint[held] * np.log(joint[held] / independent[held])).sum())


def _mean_of(name: str, factor: float) -> Callable[[Case], float]:
    return lambda case: factor * float((case.after[name] - case.before[name]).mean())


def _histogram(case: Case) -> float:
    """Divergence of the classes of the pixels from those of the judged masks, less than before."""
    classes = case.judged(**VERDICT)
    values = []
    for own in case.evidence():
        pixels = np.bincount(classes, own.counts.sum(1), minlength=own.counts.shape[1])
        judged, predicted = (p / p.sum() + 1e-4 for p in (pixels, own.counts.sum(0)))
        values.append(float((judged * np.log(judged / predicted)).sum()))
    return 10 * (values[0] - values[1])


def _unchanged(case: Case) -> float:
    """Divergence of the classes of the pixels from those of the untrained model, negative."""
    before, after = (own.counts.sum(0) / own.counts.sum() + 1e-4 for own in case.evidence())
    return -10 * float((before * np.log(before / after)).sum())


CANDIDATES: dict[str, Callable[[Case], float]] = {
    'estimated mIoU: filled and wide crops, half dense (the verdict)': _miou(**VERDICT),
    'estimated mIoU: filled and wide crops, dense': _miou(fill=1.0, wide=1.0, pool=1.0),
    'estimated mIoU: filled and wide crops': _miou(fill=1.0, wide=1.0),
    'estimated mIoU: filled and plain crops, half dense': _miou(fill=1.0, box=1.0, pool=0.5),
    'estimated mIoU: wide crops, half dense': _miou(wide=1.0, pool=0.5),
    'estimated mIoU: wide crops': _miou(wide=1.0),
    'estimated mIoU: plain crops': _miou(box=1.0),
    'estimated mIoU: filled crops, half dense': _miou(fill=1.0, pool=0.5),
    'estimated mIoU: filled crops': _miou(fill=1.0),
    'estimated mIoU: blurred crops, half dense': _miou(blur=1.0, pool=0.5),
    'estimated mIoU: blurred crops': _miou(blur=1.0),
    'estimated mIoU: dense': _miou(pool=1.0),
    'estimated accuracy, judged as by the verdict': _accuracy,
    'mean of this accuracy and the verdict': lambda case: (
        0.5 * (_miou(**VERDICT)(case) + _accuracy(case))
    ),
    'the verdict plus 0.1 of the agreement with the flipped photo': lambda case: (
        _miou(**VERDICT)(case) + _mean_of('flip', 10.0)(case)
    ),
    'the verdict, on the half of the masks that are judged most clearly': _sure,
    'mutual information of masks and classes': _information,
    'agreement with the flipped photo': _mean_of('flip', 100.0),
    'margin': _mean_of('margin', 100.0),
    'entropy of the probabilities, negative': _mean_of('entropy', -10.0),
    'class histogram against that of the masks': _histogram,
    'class histogram against that of the untrained model': _unchanged,
}


def combination(cases: list[Case]) -> Callable[[Case], float]:
    """Fit a combination of scores to the true gains near zero (ridge regression).

    Args:
        cases: The cases that the weights are fitted to.
    """
    parts = (
        _miou(**VERDICT),
        _accuracy,
        _information,
        _mean_of('flip', 100.0),
        _mean_of('margin', 100.0),
        _unchanged,
    )

    def values(case: Case) -> np.ndarray:
        return np.array([part(case) for part in parts])

    near = [case for case in cases if abs(case.gain) < NEAR]
    rows, gains = np.stack([values(case) for case in near]), [case.gain for case in near]
    spread = rows.std(0)
    rows = rows / spread
    # Without an intercept: a model that does not change has no gain.
    weights = np.linalg.solve(
        rows.T @ rows + len(near) * RIDGE * np.eye(len(parts)), rows.T @ gains
    )
    return lambda case: float(values(case) / spread @ weights)
