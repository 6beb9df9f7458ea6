"""Result of an adaptation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmseg_langseg.verdict import Verdict

from .candidate import Candidate


@dataclass(frozen=True)
class Judged:
    """Candidate with its verdict.

    Attributes:
        candidate: The candidate.
        verdict: Comparison of zero-shot CLIP with it.
    """

    candidate: Candidate
    verdict: Verdict


@dataclass(frozen=True)
class Adaptation:
    """Result of :func:`~mmseg_langseg.adaptation.adapt`.

    Attributes:
        chosen: The model to use; the first of ``judged`` if nothing was better.
        judged: All candidates; the first is zero-shot CLIP.
        command: Command that segments photos with the chosen model.
        held_out: Photos that the candidates were compared on.
        trained: Photos of the training.
        unusable: Name and reason of images that were left out.
        settings: What the result depends on, as JSON types.
        notes: What went wrong.
        training: Comparison of the best model that needs no training with the chosen one; None if
            that is zero-shot CLIP as it is, or the chosen model needs no training either.
    """

    chosen: Judged
    judged: Sequence[Judged]
    command: str
    held_out: Sequence[str]
    trained: Sequence[str]
    unusable: Sequence[tuple[str, str]]
    settings: dict[str, Any]
    notes: Sequence[str] = ()
    training: Verdict | None = None

    @property
    def is_zero_shot(self) -> bool:
        """Whether zero-shot CLIP was chosen."""
        return self.chosen is self.judged[0]

    @property
    def answer(self) -> str:
        """The result in a few sentences."""
        name, gain = self.chosen.candidate.name, interval(self.chosen.verdict)
        better = f'{name!r} is better than zero-shot CLIP by an estimated {gain}'
        if not self.is_zero_shot and self.chosen.candidate.weights is None:
            return f'The best model needs no training: {better}.'
        if not self.is_zero_shot and self.training is None:
            return f'Training helped: {better}.'
        if not self.is_zero_shot:
            untrained = best_untrained(self.judged)
            own, other = interval(untrained.verdict), interval(self.training)
            start = f'Better: {better}. It is not certain that this is due to the training'
            if self.training.decision == 'better':
                start = f'Training helped: {better}'
            return (
                f'{start}: {untrained.candidate.name!r}, which needs none, is better by {own}, and '
                f'the chosen model is at {other} from it.'
            )
        if not self.judged[-1].verdict.informed:
            return (
                'No gain can be shown, so zero-shot CLIP is kept: it does not know the class '
                'names, so nothing can be judged by it.'
            )
        start = 'Nothing was gained'
        if any(one.verdict.decision == 'undecided' for one in self.judged[1:]):
            start = 'It is not certain that anything was gained'
        best = max(self.judged[1:], key=lambda one: one.verdict.gain)
        return (
            f'{start}, so zero-shot CLIP is kept. The best other model, '
            f'{best.candidate.name!r}, is at an estimated {interval(best.verdict)} from it.'
        )

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        return dict(
            answer=self.answer,
            chosen=self.chosen.candidate.name,
            training=None if self.training is None else interval(self.training),
            command=self.command,
            candidates=[
                dict(
                    name=one.candidate.name,
                    weights=one.candidate.weights,
                    cfg_options=dict(one.candidate.cfg_options),
                    gain=one.verdict.gain,
                    low=one.verdict.low,
                    high=one.verdict.high,
                    decision=one.verdict.decision,
                    parts={key: list(map(float, v)) for key, v in one.verdict.parts.items()},
                )
                for one in self.judged
            ],
            held_out=list(self.held_out),
            trained=list(self.trained),
            unusable=[list(entry) for entry in self.unusable],
            notes=list(self.notes),
            settings=self.settings,
        )


def best_untrained(judged: Sequence[Judged]) -> Judged:
    """Return the model with the highest estimate of those that need no training."""
    untrained = [one for one in judged if one.candidate.weights is None]
    return max(untrained, key=lambda one: one.verdict.gain)


def interval(verdict: Verdict) -> str:
    """Return the estimated gain with its interval as text."""
    return f'{verdict.gain:+.1f} mIoU (interval {verdict.low:+.1f} to {verdict.high:+.1f})'
