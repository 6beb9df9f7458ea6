"""Study verdicts without labels: how well each candidate score tells what the true mIoU says.

    python tools/synthetic/study_verdict.py --work-dir work_dirs/verdict

Reads what tools/synthetic/measure_verdict_grid.py measured; prints tables of both halves, and draws
the estimated against the true gain of every checkpoint.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.fileio import write_whole_file

import matplotlib
import numpy as np
from scipy.stats import spearmanr
from verdict_candidates import CANDIDATES, NEAR, Case, combination, load_cases

matplotlib.use('agg')
import matplotlib.pyplot as plt

LIMIT = 1.0


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


def report(
    half: str, cases: list[Case], candidates: dict[str, Callable[[Case], float]] = CANDIDATES
) -> str:
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
    for name, candidate in candidates.items():
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
    return parser.parse_args(argv)


def main(argv=None) -> None:
    folder = Path(parse_args(argv).work_dir)
    evidence = folder / 'evidence'
    if not evidence.is_dir():
        raise FileNotFoundError(
            f"There is no '{evidence}': run tools/synthetic/measure_verdict_grid.py "
            'with this work directory first.'
        )
    titles = dict(choose='to choose the verdict', report='to report it')
    halves = {title: load_cases(evidence, half) for half, title in titles.items()}
    fitted = {
        'ridge regression of six scores, on the first half': combination(
            next(iter(halves.values()))
        )
    }
    text = '\n\n'.join(
        report(title, cases, {**CANDIDATES, **fitted}) for title, cases in halves.items()
    )
    write_whole_file(folder / 'verdict.md', (text + '\n').encode())
    draw(folder / 'verdict.png', halves)
    print(text)


if __name__ == '__main__':
    run_command(main)
