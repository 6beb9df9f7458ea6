"""Study verdicts without labels: how well each candidate score tells what the true mIoU says.

    python tools/synthetic/study_verdict.py --work-dir work_dirs/verdict

Reads what tools/synthetic/measure_verdict_grid.py measured; prints tables of both halves, and draws
the estimated against the true gain of every checkpoint.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.fileio import write_whole_file
from mmseg_langseg.verdict import Evidence, Verdict, compare, estimated_miou

import matplotlib
import numpy as np
from scipy.stats import spearmanr
from verdict_grid import grid_runs

matplotlib.use('agg')
import matplotlib.pyplot as plt

VOCABULARIES, KINDS = ('plain', 'useless'), ('raw', 'centered')
# Weights of the package's verdict.
VERDICT = dict(fill=1.0, wide=1.0, pool=0.5)
NEAR = 6.0
LIMIT = 1.0


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

    def judged(self, **weights: float) -> np.ndarray:
        """Return the class of each mask, from weighted kinds of crops."""
        names = self.key.split('_')[0]
        scores = sum(
            weight * (rows := self.judge[f'{names}_{kind}'].astype(float)) - weight * rows.mean(0)
            for kind, weight in weights.items()
        )
        return scores.argmax(1)

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
    'mutual information of masks and classes': _information,
    'agreement with the flipped photo': _mean_of('flip', 100.0),
    'margin': _mean_of('margin', 100.0),
    'entropy of the probabilities, negative': _mean_of('entropy', -10.0),
    'class histogram against that of the masks': _histogram,
}


def score_line(name: str, values: np.ndarray, gains: np.ndarray) -> str:
    """Return a row of the table of candidates."""
    near, large = np.abs(gains) < NEAR, np.abs(gains) > LIMIT
    right = np.mean((values > 0)[large] == (gains > 0)[large]) * 100
    losers = int(((values > 0) & (gains < -LIMIT)).sum())
    error = float(np.abs(values - gains)[near].mean())
    rank, rank_near = (
        spearmanr(values[part], gains[part])[0] for part in (np.ones_like(near), near)
    )
    return f'| {name} | {rank:.3f} | {rank_near:.3f} | {right:.1f} | {losers} | {error:.2f} |'


def choice_line(title: str, cases: list[Case], values: np.ndarray | None) -> str:
    """Return a row on choosing a checkpoint or the untrained model, for each group of cases.

    A group is a training, with the same class names and logits.

    Args:
        title: Name of the rule.
        cases: All cases.
        values: The checkpoint with the highest value is chosen, if it is above 0; None: the last.
    """
    groups = defaultdict(list)
    for number, case in enumerate(cases):
        value = case.iteration if values is None else values[number]
        groups[case.run, case.key].append((float(value), case.gain))
    gains, regrets = [], []
    for group in groups.values():
        value, gain = max(group)
        gains.append(gain if value > 0 else 0.0)
        regrets.append(max(0.0, *(gain for _, gain in group)) - gains[-1])
    lost = sum(gain < -LIMIT for gain in gains)
    return (
        f'| {title} | {np.mean(gains):+.2f} | {min(gains):+.1f} | {lost} of {len(gains)} | '
        f'{np.mean(regrets):.2f} | {max(regrets):.1f} |'
    )


def report(half: str, cases: list[Case]) -> str:
    """Return the tables of a half."""
    gains = np.array([case.gain for case in cases])
    large = np.abs(gains) > LIMIT
    lines = [
        f'## {half}: {len({case.run for case in cases})} trainings, {len(cases)} cases; '
        f'true gain {gains.min():+.1f} to {gains.max():+.1f}, more than {LIMIT:g} in '
        f'{(gains > LIMIT).sum()}, less than {-LIMIT:g} in {(gains < -LIMIT).sum()}',
        '',
        f'| score | rank correlation | near ({(np.abs(gains) < NEAR).sum()} cases within {NEAR:g}) '
        f'| right, % of {large.sum()} | accepted losers | mean error near |',
        '|---|---|---|---|---|---|',
    ]
    for name, candidate in CANDIDATES.items():
        values = np.array([candidate(case) for case in cases])
        lines.append(score_line(name, values, gains))
    verdicts = [case.verdict() for case in cases]
    estimates = np.array([verdict.gain for verdict in verdicts])
    inside = np.array([v.low <= g <= v.high for v, g in zip(verdicts, gains, strict=True)])
    near = np.abs(gains) < NEAR
    decisions = np.array([verdict.decision for verdict in verdicts])
    lines += [
        '',
        f'Interval: holds the true gain in {inside.mean() * 100:.1f} % of all cases and '
        f'{inside[near].mean() * 100:.1f} % near; mean width near '
        f'{np.mean([v.high - v.low for v in np.array(verdicts)[near]]):.1f}.',
    ]
    for word in ('better', 'undecided', 'worse'):
        own = gains[decisions == word]
        if len(own):
            lines.append(
                f'Decision {word!r}: {len(own)} cases, true gain {own.min():+.1f} to '
                f'{own.max():+.1f}, mean {own.mean():+.1f}.'
            )
    lines += [
        '',
        '| choice per training, class names and logits | mean true gain | worst | lost more than '
        f'{LIMIT:g} | mean regret | worst |',
        '|---|---|---|---|---|---|',
    ]
    better = np.array([verdict.low for verdict in verdicts])
    rules = {
        'the last checkpoint, without a verdict': None,
        'highest estimate, if above 0': estimates,
        'highest lower end, if above 0 (`langseg adapt`)': better,
    }
    lines += [choice_line(title, cases, values) for title, values in rules.items()]
    return '\n'.join(lines)


def draw(path: Path, halves: dict[str, list[Case]]) -> None:
    """Draw the estimated against the true gain of every case."""
    figure, axes = plt.subplots(1, len(halves), figsize=(11, 5.2), sharex=True, sharey=True)
    colors = dict(raw='tab:orange', centered='tab:blue')
    for axis, (half, cases) in zip(axes, halves.items(), strict=True):
        for method, marker in (('pixelclip', 'o'), ('clips4', '^')):
            for kind, color in colors.items():
                own = [c for c in cases if c.method == method and c.key.endswith(kind)]
                axis.scatter(
                    [case.gain for case in own],
                    [case.verdict().gain for case in own],
                    s=14,
                    alpha=0.6,
                    color=color,
                    marker=marker,
                    label=f'{"PixelCLIP" if method == "pixelclip" else "CLIP-S⁴"}, {kind}',
                )
        low, high = axis.get_xlim()
        axis.plot([low, high], [low, high], color='gray', lw=0.8)
        axis.axhline(0, color='gray', lw=0.8, ls=':')
        axis.axvline(0, color='gray', lw=0.8, ls=':')
        axis.set(title=half, xlabel='true gain, mIoU')
    axes[0].set_ylabel('estimated gain without labels, mIoU')
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def parse_args(argv=None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--work-dir', default='work_dirs/verdict')
    parser.add_argument(
        '--generated-masks', action='store_true', help='what was measured with this option'
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    folder, suffix = Path(args.work_dir), '_generated' if args.generated_masks else ''
    evidence = folder / f'evidence{suffix}'
    if not evidence.is_dir():
        raise FileNotFoundError(
            f"There is no '{evidence}': run tools/synthetic/measure_verdict_grid.py "
            'with this work directory first.'
        )
    titles = dict(choose='to choose the verdict', report='to report it')
    halves = {title: load_cases(evidence, half) for half, title in titles.items()}
    text = '\n\n'.join(report(title, cases) for title, cases in halves.items())
    write_whole_file(folder / f'verdict{suffix}.md', (text + '\n').encode())
    draw(folder / f'verdict{suffix}.png', halves)
    print(text)


if __name__ == '__main__':
    run_command(main)
