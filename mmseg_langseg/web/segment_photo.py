"""Segment an uploaded photo, or say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmseg_langseg.apis.command_line import EXPECTED_ERRORS
from mmseg_langseg.apis.image_inputs import ImageInput
from mmseg_langseg.apis.rejection import OTHER
from mmseg_langseg.models.text_encoders import Vocabulary

from .model_pool import ModelPool
from .page_result import PageResult
from .photo import read_photo

MAX_CHARACTERS = 5000
"""Maximum length of the class names."""
MAX_PROBABILITIES = 2**29
"""Maximum number of pixels times classes, which need two bytes each."""


@dataclass(frozen=True)
class PhotoSegmenter:
    """Segment photos for the page.

    Args:
        pool: The models.
        folder: Folder for the files of the results.
    """

    pool: ModelPool
    folder: Path

    def __call__(
        self,
        photo: tuple[str, str] | None,
        texts: str,
        model: str,
        threshold: float = 0.0,
        min_margin: float = 0.0,
    ) -> tuple[PageResult | None, str]:
        """Segment a photo.

        Args:
            photo: The uploaded file and its name on the user's machine, None if there is none.
            texts: Class names such as ``'cat; dog, puppy; grass'``; never a file name.
            model: Name of the model.
            threshold: See ``LangSegInferencer.stream``; 0 rejects nothing.
            min_margin: Likewise.

        Returns:
            The result, and a message. On errors that a user can cause, the result is None and the
            message says what is wrong.
        """
        try:
            vocabulary = _parse(texts)
            if photo is None:
                raise ValueError('There is no photo yet: add one, or choose the example.')
            path, name = photo
            result, notes = self.pool.segment(
                model,
                ImageInput(name, lambda: self._read(path, name, len(vocabulary.names))),
                vocabulary,
                threshold=threshold or None,
                min_margin=min_margin or None,
                probabilities=True,
            )
            page = PageResult.create(self.folder, result, vocabulary.names)
        except EXPECTED_ERRORS as error:
            return None, str(error) or type(error).__name__
        return page, '\n'.join([_summary(page, vocabulary), *notes])

    def _read(self, path: str, name: str, num_classes: int) -> np.ndarray:
        image = read_photo(path, name)
        pixels = image.shape[0] * image.shape[1]
        if pixels * num_classes > MAX_PROBABILITIES:
            raise ValueError(
                f'{name!r} has {pixels / 1e6:.1f} megapixels, for which the page takes at most '
                f'{MAX_PROBABILITIES // pixels} classes, got {num_classes}. Reduce the photo, or '
                'use "langseg segment".'
            )
        return image


def _parse(texts: str) -> Vocabulary:
    if not texts.strip():
        raise ValueError('There are no class names yet; type some, e.g. cat; dog, puppy; grass.')
    if len(texts) > MAX_CHARACTERS:
        raise ValueError(
            f'The class names have {len(texts)} characters; expected at most {MAX_CHARACTERS}.'
        )
    # Not Vocabulary.parse, which reads files.
    return Vocabulary.from_string(texts)


def _summary(page: PageResult, vocabulary: Vocabulary) -> str:
    text = f'{len(page.shares)} of {len(page.shown.classes)} classes found.'
    if vocabulary.num_classes == 1:
        text += (
            f' The single class {vocabulary.names[0]!r} competes with common words; pixels where '
            f'they win are {OTHER!r}.'
        )
    elif OTHER not in vocabulary.names and set(page.shares) == {OTHER}:
        text += f' All pixels are {OTHER!r}: lower the threshold or the minimum margin.'
    return text
