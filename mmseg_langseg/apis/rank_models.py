"""Rank models and their settings on photos without labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn
from tqdm import tqdm

from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.verdict import (
    Evidence,
    Photo,
    Verdict,
    compare,
    estimated_miou,
    measure,
    region_counts,
)

from .image_inputs import ImageInput
from .inferencer import LangSegInferencer
from .judge import judge_masks
from .texts import Texts, parse_texts

FEWEST_PHOTOS = 5
"""Fewer photos do not differ enough for an interval."""

LoadModel = Callable[[str, str | None, dict[str, Any]], LangSegInferencer]


@dataclass(frozen=True)
class Candidate:
    """A model with its settings.

    Attributes:
        model: Short name or config file.
        weights: Checkpoint; None: the untrained model.
        templates: Name of a template set; None: that of the config.
        readout: How dense features are extracted; None: as in the config, or the tower has one way.
        threshold: Minimum probability of the best class; other pixels have none. None: 0.
    """

    model: str
    weights: str | None = None
    templates: str | None = None
    readout: str | None = None
    threshold: float | None = None

    @property
    def name(self) -> str:
        """Model, checkpoint and settings in one line."""
        settings = [
            f'{key} {value}'
            for key in ('templates', 'readout', 'threshold')
            if (value := getattr(self, key)) is not None
        ]
        model = self.model if self.weights is None else f'{self.model}={self.weights}'
        return ', '.join([model, *settings])


@dataclass(frozen=True)
class Rank:
    """Score of a candidate.

    Attributes:
        candidate: The candidate.
        miou: Estimated mIoU in percent.
        difference: From the first candidate; None for the first.
        from_best: Comparison with the candidate of the highest estimate; None for that one.
        is_judge_relative: Whether it has the image-text model of the judge.
    """

    candidate: Candidate
    miou: float
    difference: Verdict | None
    from_best: Verdict | None
    is_judge_relative: bool


def candidates(
    models: Sequence[tuple[str, str | None]],
    templates: Sequence[str] = (),
    readouts: Sequence[str] = (),
    thresholds: Sequence[float] = (),
) -> list[Candidate]:
    """Return all combinations of models and settings; without settings, those of the configs.

    Args:
        models: Name and checkpoint, or None, of each model.
        templates: Names of template sets.
        readouts: Names of read-outs; for towers with one way only, they are left out later.
        thresholds: Minimum probabilities; pixels of every model are also left unrejected.

    Raises:
        ValueError: A combination occurs twice, or there is only one.
    """
    limits = [None, *thresholds] if thresholds else [None]
    found = [
        Candidate(model, weights, sentences, readout, threshold)
        for model, weights in models
        for readout in readouts or [None]
        for sentences in templates or [None]
        for threshold in limits
    ]
    twice = next((one for one in found if found.count(one) > 1), None)
    if twice is not None:
        raise ValueError(f'{twice.name!r} is to be ranked twice; give it once.')
    if len(found) < 2:
        raise ValueError(f'Only {found[0].name!r} is to be ranked; expected at least two.')
    return found


def rank_models(
    entries: Sequence[Candidate],
    texts: Texts,
    photos: Sequence[Photo],
    load: LoadModel,
    judge: str | None = None,
    quiet: bool = False,
) -> list[Rank]:
    """Rank candidates by their estimated mIoU.

    An untrained model judges which classes the masks of the photos have; a candidate gets the mIoU
    that it has if the judge is right. The difference of two candidates has an interval over photos.

    Args:
        entries: At least two candidates.
        texts: Class names, see ``LangSegInferencer.stream``.
        photos: Photos with masks.
        load: Function that loads a model: name, checkpoint, options of the config.
        judge: Name of the model that judges, untrained; None: the model of the first candidate.
        quiet: Show no progress bars.

    Returns:
        The candidates in the given order. Those whose read-outs the tower does not have are
        replaced by one with its own.

    Raises:
        ValueError: There are fewer than five photos, the texts name one class, or a setting does
            not fit a model.
    """
    if len(photos) < FEWEST_PHOTOS:
        raise ValueError(
            f'{len(photos)} usable photos; expected at least {FEWEST_PHOTOS}, as intervals come '
            'from the differences between photos.'
        )
    vocabulary = parse_texts(texts)
    name = entries[0].model if judge is None else judge
    model = load(name, None, {})
    belief = judge_masks(model, vocabulary, tqdm(photos, 'judge', unit='image', disable=quiet))
    tower = _image_text_model(model.model)
    del model
    found = list(_measured(entries, vocabulary, photos, load, quiet))
    rejects = any(entry.threshold is not None for entry, _, _ in found)
    judged = _Judged.of(belief, found[0][1], rejects)
    scores = [judged.miou(evidence) for _, evidence, _ in found]
    first, best = found[0][1], found[int(np.argmax(scores))][1]
    return [
        Rank(
            entry,
            score,
            None if evidence is first else judged.compare(first, evidence),
            None if evidence is best else judged.compare(best, evidence),
            own == tower,
        )
        for (entry, evidence, own), score in zip(found, scores, strict=True)
    ]


@dataclass(frozen=True)
class _Judged:
    """Belief about the masks, and the class of rejected pixels if there is one.

    That class has no mask, so that it only lowers a mean over classes, by a factor.
    """

    belief: np.ndarray
    factor: float = 1.0

    @classmethod
    def of(cls, belief: np.ndarray, evidence: Evidence, rejects: bool) -> _Judged:
        if not rejects:
            return cls(belief)
        wide = cls(np.pad(belief, ((0, 0), (0, 1))))
        return cls(wide.belief, estimated_miou(belief, evidence) / wide.miou(evidence))

    def miou(self, evidence: Evidence) -> float:
        return self.factor * estimated_miou(self.belief, self._wide(evidence))

    def compare(self, before: Evidence, after: Evidence) -> Verdict:
        verdict = compare(self.belief, self._wide(before), self._wide(after))
        return Verdict(
            *(self.factor * value for value in (verdict.gain, verdict.low, verdict.high)),
            verdict.parts,
        )

    def _wide(self, evidence: Evidence) -> Evidence:
        missing = self.belief.shape[1] - evidence.counts.shape[1]
        return replace(evidence, counts=np.pad(evidence.counts, ((0, 0), (0, missing))))


def _measured(
    entries: Sequence[Candidate],
    vocabulary: Vocabulary,
    photos: Sequence[Photo],
    load: LoadModel,
    quiet: bool,
) -> Iterator[tuple[Candidate, Evidence, Any]]:
    """Yield the candidates with their predictions and a description of their CLIP."""
    loaded, segment, seen = None, None, set()
    for entry in entries:
        key = (entry.model, entry.weights, entry.readout)
        if key != loaded:
            segment, loaded = None, key  # frees the memory first
            segment, has_readout = _load(entry, load)
            own_templates = segment.model.decode_head.templates
        entry = entry if has_readout else replace(entry, readout=None)
        if entry in seen:
            continue
        seen.add(entry)
        segment.model.decode_head.templates = entry.templates or own_templates
        bar = tqdm(photos, entry.name, unit='image', disable=quiet)
        yield entry, _evidence(segment, entry, vocabulary, bar), _image_text_model(segment.model)


def _load(entry: Candidate, load: LoadModel) -> tuple[LangSegInferencer, bool]:
    """Load the model of a candidate, and return whether it has the read-out."""
    if entry.readout is None:
        return load(entry.model, entry.weights, {}), True
    segment = load(entry.model, entry.weights, {})
    if not hasattr(segment.model.backbone, 'readout'):
        return segment, False
    return load(entry.model, entry.weights, {'model.backbone.readout': entry.readout}), True


def _evidence(
    segment: LangSegInferencer, entry: Candidate, vocabulary: Vocabulary, photos: Sequence[Photo]
) -> Evidence:
    segment.model.set_vocabulary(vocabulary)
    if entry.threshold is None:
        return measure(segment.model, segment.prepare, photos)
    images = (ImageInput(photo.name, photo.load) for photo in photos)
    results = segment.stream(images, vocabulary, threshold=entry.threshold)
    counts = []
    for photo, result in zip(photos.iterable, results, strict=True):
        regions = masks_to_regions(photo.masks, *result.labels.shape)
        classes = vocabulary.num_classes + 1
        counts.append(region_counts(result.labels, regions, len(photo.masks), classes))
    return Evidence.of(counts)


def _image_text_model(model: nn.Module) -> tuple[str, Any]:
    encoder = model.decode_head.text_encoder
    return repr(encoder.arch), encoder.pretrained
