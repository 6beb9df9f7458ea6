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
from .rejection import add_contrast

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
        has_judge: Whether a judge has its image-text model.
    """

    candidate: Candidate
    miou: float
    difference: Verdict | None
    from_best: Verdict | None
    has_judge: bool


@dataclass(frozen=True)
class Ranking:
    """Scores of candidates.

    Attributes:
        ranks: The candidates in the given order. If a tower has no read-outs to choose from, one
            candidate replaces those with the given ones.
        judges: Names of the models that judged.
        informed: Whether they know the class names; if not, no comparison is decided. Of several,
            only those that do judge.
    """

    ranks: list[Rank]
    judges: list[str]
    informed: bool = True


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
    vocabulary: Vocabulary,
    photos: Sequence[Photo],
    load: LoadModel,
    judges: Sequence[str] = (),
    quiet: bool = False,
) -> Ranking:
    """Rank candidates by their estimated mIoU.

    Untrained models judge which classes the masks of the photos have; a candidate gets the mIoU
    that it has if their mean judgment is right. The difference of two candidates has an interval
    over photos. A judge favors candidates of its own image-text model, so by default each of these
    has one judge.

    Args:
        entries: At least two candidates.
        vocabulary: Class names; a single one competes with contrast words.
        photos: Photos with masks.
        load: Function that loads a model: name, checkpoint, options of the config.
        judges: Names of the models that judge, untrained; by default, the first candidate's of
            each image-text model.
        quiet: Show no progress bars.

    Raises:
        ValueError: There are fewer than five photos, or a setting does not fit a model.
    """
    if len(photos) < FEWEST_PHOTOS:
        raise ValueError(
            f'{len(photos)} usable photos; expected at least {FEWEST_PHOTOS}, as intervals come '
            'from the differences between photos.'
        )
    belief, towers, names, informed = _judgment(entries, vocabulary, photos, load, judges, quiet)
    judged = belief.argmax(1)
    found = list(_measured(entries, vocabulary, photos, load, quiet))
    scores = [estimated_miou(judged, evidence) for _, evidence, _ in found]
    first, best = found[0][1], found[int(np.argmax(scores))][1]
    ranks = [
        Rank(
            entry,
            score,
            None if evidence is first else compare(judged, first, evidence, informed),
            None if evidence is best else compare(judged, best, evidence, informed),
            own in towers,
        )
        for (entry, evidence, own), score in zip(found, scores, strict=True)
    ]
    return Ranking(ranks, names, informed)


def unlike_best(rank: Rank) -> str:
    """Return ``worse`` or ``undecided`` for a candidate, ``best`` for the best one."""
    return 'best' if rank.from_best is None else rank.from_best.decision


def _judgment(
    entries: Sequence[Candidate],
    vocabulary: Vocabulary,
    photos: Sequence[Photo],
    load: LoadModel,
    judges: Sequence[str],
    quiet: bool,
) -> tuple[np.ndarray, list[Any], list[str], bool]:
    """Return the mean belief of the judges, their image-text models and names, and their use."""
    found, towers, names = [], [], []
    for name in judges or dict.fromkeys(entry.model for entry in entries):
        judge = load(name, None, {})
        tower = _image_text_model(judge.model)
        if tower in towers and not judges:
            continue
        towers.append(tower)
        names.append(name)
        bar = tqdm(photos, f'judge {name}', unit='image', disable=quiet)
        found.append(judge_masks(judge, add_contrast(vocabulary), bar))
    informed = any(knows for _, knows in found)
    kept = [number for number, (_, knows) in enumerate(found) if knows or not informed]
    belief = np.mean([found[number][0] for number in kept], axis=0)
    return belief, [towers[n] for n in kept], [names[n] for n in kept], informed


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
        evidence = _evidence(segment, entry, vocabulary, photos, quiet)
        yield entry, evidence, _image_text_model(segment.model)


def _load(entry: Candidate, load: LoadModel) -> tuple[LangSegInferencer, bool]:
    """Load the model of a candidate, and return whether it has the read-out."""
    if entry.readout is None:
        return load(entry.model, entry.weights, {}), True
    segment = load(entry.model, entry.weights, {})
    if not hasattr(segment.model.backbone, 'readout'):
        return segment, False
    return load(entry.model, entry.weights, {'model.backbone.readout': entry.readout}), True


def _evidence(
    segment: LangSegInferencer,
    entry: Candidate,
    vocabulary: Vocabulary,
    photos: Sequence[Photo],
    quiet: bool,
) -> Evidence:
    bar = tqdm(photos, entry.name, unit='image', disable=quiet)
    words = add_contrast(vocabulary)
    segment.model.set_vocabulary(words)
    if entry.threshold is None:
        return measure(segment.model, segment.prepare, bar)
    images = (ImageInput(photo.name, photo.load) for photo in bar)
    results = segment.stream(images, vocabulary, threshold=entry.threshold, on_bad_image=_stop)
    counts = []
    for photo, result in zip(photos, results, strict=True):
        regions = masks_to_regions(photo.masks, *result.labels.shape)
        counts.append(
            region_counts(result.labels, regions, len(photo.masks), words.num_classes + 1)
        )
    return Evidence.of(counts)


def _stop(name: str, error: Exception) -> None:
    raise error


def _image_text_model(model: nn.Module) -> tuple[str, Any]:
    encoder = model.decode_head.text_encoder
    return repr(encoder.arch), encoder.pretrained
