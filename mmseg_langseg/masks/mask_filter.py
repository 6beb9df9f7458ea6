"""Which of an image's masks are used."""

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
    """Drop masks by area and by SAM's own scores, then cap their number.

    PixelCLIP uses all of SA-1B's masks, so by default nothing is dropped.

    Attributes:
        min_area: Least area as a share of the image. Areas are those of the masks themselves;
            what a file says in ``area`` is not read.
        max_area: Largest area, likewise.
        min_predicted_iou: Least ``predicted_iou``; ``None``: not looked at.
        min_stability_score: Least ``stability_score``; ``None``: not looked at.
        max_masks: Most masks of an image; of more, a random choice is kept, in their order.
            ``None``: all.
        seed: Of this choice. It depends on the seed and the name of the mask file, so every
            process and every visit of the image keeps the same masks.
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
                'areas are shares of the image, 0 <= min_area <= max_area <= 1; got '
                f'{self.min_area} and {self.max_area}'
            )

    def __call__(self, annotations: list[dict], path: str) -> list[dict]:
        """Choose the masks of an image.

        Args:
            annotations: As :func:`read_mask_annotations` gives them.
            path: Mask file; its folder has no part in the choice.

        Returns:
            Some of the annotations, in their order.

        Raises:
            MaskFileError: A score that is asked for is missing or no number; names the file.
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
            f"{where}: '{key}' is {score!r:.60}, expected a number; without such scores leave "
            f"'min_{key}' of the filter out"
        )
    return score


def _area(annotation: dict) -> float:
    rle = annotation['segmentation']
    height, width = rle['size']
    return rle_area(rle) / (height * width)
