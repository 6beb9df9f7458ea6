"""Class names of an inference run: one vocabulary, or one per image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from mmseg_langseg.models.text_encoders import Vocabulary

from .image_inputs import ImageInput

Texts = str | os.PathLike | Sequence[str] | Vocabulary | Sequence[Vocabulary]


def pair_vocabularies(
    images: Iterator[ImageInput], texts: Texts
) -> Iterator[tuple[ImageInput, Vocabulary]]:
    """Pair images with their vocabularies.

    Args:
        images: Images.
        texts: See ``LangSegInferencer.__call__``.

    Raises:
        ValueError: If there are fewer vocabularies than images.
    """
    several = isinstance(texts, (list, tuple)) and any(isinstance(t, Vocabulary) for t in texts)
    if not several:
        vocabulary = parse_texts(texts)
        yield from ((image, vocabulary) for image in images)
        return
    vocabularies = [parse_texts(entry) for entry in texts]
    for number, image in enumerate(images):
        if number == len(vocabularies):
            raise ValueError(
                f'{len(vocabularies)} vocabularies for more images; expected one per image.'
            )
        yield image, vocabularies[number]


def parse_texts(texts: str | os.PathLike | Sequence[str] | Vocabulary) -> Vocabulary:
    """Parse class names in any accepted form, see :meth:`Vocabulary.parse`.

    Raises:
        TypeError: If the type is none that ``Vocabulary.parse`` reads.
    """
    if not isinstance(texts, (str, os.PathLike, list, tuple, Vocabulary)):
        raise TypeError(
            f"texts is of type {type(texts).__name__}; expected 'cat; dog, puppy; grass', a list "
            'with one entry per class, the path of a .json vocabulary, or a Vocabulary.'
        )
    return Vocabulary.parse(texts)
