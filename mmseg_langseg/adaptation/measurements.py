"""Measure candidates on held-out photos, with results in files so that interrupted runs resume."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from mmseg_langseg.apis.inferencer import LangSegInferencer
from mmseg_langseg.fileio import LangSegWarning, write_whole_file
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import set_model_vocabulary
from mmseg_langseg.verdict import (
    Evidence,
    Judgment,
    Photo,
    Verdict,
    compare,
    judge,
    mean_feature,
    measure,
)
from mmseg_langseg.version import __version__

from .candidate import ZERO_SHOT, Candidate
from .training_config import inference_config

CENTER = 'model.decode_head.center'
_BLOCK = 2**20


class Measurements:
    """What candidates predict on held-out photos.

    Args:
        cfg: Config of the training.
        vocabulary: At least two class names.
        photos: Returns the held-out photos; called only if something is measured.
        others: Returns photos of the training, for :meth:`centered`.
        folder: Folder of the results, one file per candidate.
        say: Called with a line before each measurement.
    """

    def __init__(
        self,
        cfg: Config,
        vocabulary: Vocabulary,
        photos: Callable[[], Sequence[Photo]],
        others: Callable[[], Sequence[Photo]],
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self.cfg = cfg
        self.vocabulary = vocabulary
        self.photos = photos
        self.others = others
        self.folder = folder
        self.say = say
        self._loaded: tuple[Candidate, LangSegInferencer] | None = None

    def load(self, candidate: Candidate) -> LangSegInferencer:
        """Return the model of a candidate, with the class names."""
        if self._loaded is not None and self._loaded[0] == candidate:
            return self._loaded[1]
        # Towers without weights are random; all candidates without a checkpoint must be the same.
        torch.manual_seed(0)
        cfg = inference_config(self.cfg, candidate)
        with warnings.catch_warnings():
            if self._loaded is not None:  # the same warnings again
                warnings.simplefilter('ignore', LangSegWarning)
            segment = LangSegInferencer(cfg, candidate.weights)
        set_model_vocabulary(segment.model, self.vocabulary, type(self).__name__)
        self._loaded = candidate, segment
        return segment

    def evidence(self, candidate: Candidate) -> Evidence:
        """Measure a candidate, or read its stored result."""
        stored = self._once(
            f'{candidate.file_stem}.npz', 'held-out photos', candidate, self._measure
        )
        return Evidence(stored['photo'], stored['counts'])

    def compare(self, first: Candidate, second: Candidate) -> Verdict:
        """Compare two candidates, by the class of each mask that zero-shot CLIP says."""
        before, after = (self.evidence(candidate) for candidate in (first, second))
        judgment = self.judgment()
        return compare(judgment.classes, before, after, judgment.informed)

    def judgment(self) -> Judgment:
        """Return what zero-shot CLIP says about the masks."""
        zero_shot = Candidate(ZERO_SHOT)
        stored = self._once('masks.npz', 'masks of held-out photos', zero_shot, self._judge)
        return Judgment(stored['scores'], float(stored['chance']))

    def centered(self, candidate: Candidate, path: Path) -> Candidate:
        """Return a candidate with its head centered on photos of the training.

        Args:
            candidate: The candidate.
            path: File for the mean feature, ``LanguageHead(center=...)``.
        """
        stored = self._once(
            f'{candidate.file_stem}_center.npz', 'mean of training photos', candidate, self._mean
        )
        file = io.BytesIO()
        np.save(file, stored['mean'])
        write_whole_file(path, file.getvalue())
        options = {**candidate.cfg_options, CENTER: str(path)}
        return Candidate(f'{candidate.name}, centered', candidate.weights, options)

    def _mean(self, segment: LangSegInferencer) -> dict[str, np.ndarray]:
        return dict(mean=mean_feature(segment.model, segment.prepare, self.others()))

    def _measure(self, segment: LangSegInferencer) -> dict[str, np.ndarray]:
        found = measure(segment.model, segment.prepare, self.photos())
        return dict(photo=found.photo, counts=found.counts)

    def _judge(self, segment: LangSegInferencer) -> dict[str, np.ndarray]:
        found = judge(segment.model, segment.prepare, self.photos())
        return dict(scores=found.scores, chance=np.float64(found.chance))

    def _once(
        self,
        name: str,
        title: str,
        candidate: Candidate,
        compute: Callable[[LangSegInferencer], dict[str, np.ndarray]],
    ) -> dict[str, np.ndarray]:
        """Compute arrays, or read those of the same weights and version of this package."""
        path = self.folder / name
        key = np.array(f'{__version__} {_sha256(candidate.weights)}')
        if path.is_file() and (stored := _read(path)).get('key') == key:
            return stored
        self.say(f'{candidate.name}: {title} ...')
        found = dict(compute(self.load(candidate)), key=key)
        file = io.BytesIO()
        np.savez_compressed(file, **found)
        write_whole_file(path, file.getvalue())
        return found


def _read(path: Path) -> dict[str, np.ndarray]:
    """Read stored arrays; a damaged file holds none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        return {}


def _sha256(path: str | os.PathLike | None) -> str:
    digest = hashlib.sha256()
    if path is not None:
        with open(path, 'rb') as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
