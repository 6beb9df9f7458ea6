"""Filtering of class-agnostic masks."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from mmseg_langseg.fileio import MaskFileError
from mmseg_langseg.masks.formats import rle_area

from .option_checks import check_integer, check_number


@dataclass(frozen=True)
class MaskFilter:
    """Filter masks by area and by SAM's scores, then limit their number.

    PixelCLIP uses all masks of SA-1B, so by default nothing is dropped.

    Attributes:
        min_area: Minimum area as a fraction of the image. Areas are computed from the masks; the
            key ``area`` of the file is ignored.
        max_area: Maximum area, likewise.
        min_predicted_iou: Minimum ``predicted_iou``; ``None``: not checked.
        min_stability_score: Minimum ``stability_score``; ``None``: not checked.
        max_masks: Maximum masks per image; of more, a random subset is kept, in order.
            ``None``: all.
        seed: Random seed of the subset. The subset depends only on the seed and the name of the
            mask file, so every process keeps the same masks in every epoch.
    """

    min_area: float = 0.0
    max_area: float = 1.0
    min_predicted_iou: float | None = None
    min_stability_score: float | None = None
    max_masks: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ('min_area', 'max_area'):
            check_number(name, getattr(self, name), 0, 1)
        for name in ('min_predicted_iou', 'min_stability_score'):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))
        if self.max_masks is not None:
            check_integer('max_masks', self.max_masks, 1)
        check_integer('seed', self.seed, 0)
        if self.min_area > self.max_area:
            raise ValueError(
                'areas are fractions of the image, 0 <= min_area <= max_area <= 1; got '
                f'{self.min_area} and {self.max_area}'
            )

    def __call__(self, annotations: list[dict], path: str) -> list[dict]:
        """Filter the masks of an image.

        Args:
            annotations: As returned by :func:`read_mask_annotations`.
            path: Mask file; its folder does not affect the random subset.

        Returns:
            The remaining annotations, in order.

        Raises:
            MaskFileError: A required score is missing or not a number; the message names the file.
        """
        kept = annotations
        for key, least in (
            ('predicted_iou', self.min_predicted_iou),
            ('stability_score', self.min_stability_score),
        ):
            if least is not None:
                scores = [_score(ann, key, f'{path}, annotation {i}') for i, ann in enumerate(kept)]
                kept = [ann for ann, score in zip(kept, scores, strict=True) if score >= least]
        if self.min_area > 0 or self.max_area < 1:
            kept = [ann for ann in kept if self.min_area <= _area(ann) <= self.max_area]
        if self.max_masks is not None and len(kept) > self.max_masks:
            name = PurePath(path).name.encode(errors='replace')
            rng = np.random.default_rng([self.seed, zlib.crc32(name)])
            chosen = rng.choice(len(kept), self.max_masks, replace=False)
            kept = [kept[i] for i in sorted(chosen)]
        return kept


def _score(annotation: dict, key: str, where: str) -> float:
    score: Any = annotation.get(key)
    if isinstance(score, bool) or not isinstance(score, (int, float)):
        raise MaskFileError(
            f"{where}: '{key}' is {score!r:.60}, expected a number; if the masks have no scores, "
            f"remove 'min_{key}' from the filter"
        )
    return score


def _area(annotation: dict) -> float:
    rle = annotation['segmentation']
    height, width = rle['size']
    return rle_area(rle) / (height * width)
