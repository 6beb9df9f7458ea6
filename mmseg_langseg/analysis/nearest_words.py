"""Nearest words of cluster centers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .word_embeddings import WordEmbeddings


@dataclass(frozen=True)
class NearWord:
    """A word near a cluster center.

    Attributes:
        word: The word.
        index: Its index among all words.
        cosine: Cosine of its embedding with the center.
    """

    word: str
    index: int
    cosine: float

    def __str__(self) -> str:
        return f'{self.word} {self.cosine:.2f}'


def nearest_words(
    centers: np.ndarray, words: WordEmbeddings, count: int = 5
) -> list[list[NearWord]]:
    """Find the words with the largest cosine to each center.

    Args:
        centers: ``(K, D)``, unit rows.
        words: Words to choose from.
        count: Number of words per center; fewer if there are not so many.

    Returns:
        The words of each center, nearest first.

    Raises:
        ValueError: Centers and words have embeddings of different widths.
    """
    if centers.shape[1] != words.rows.shape[1]:
        raise ValueError(
            f'the class prompts have {centers.shape[1]} dimensions and the embeddings of the '
            f'words {words.rows.shape[1]}: use embeddings of the same CLIP'
        )
    cosines = centers @ words.rows.T
    order = np.argsort(-cosines, axis=1, kind='stable')[:, :count]
    return [
        [NearWord(words.words[i], int(i), float(row[i])) for i in chosen]
        for row, chosen in zip(cosines, order, strict=True)
    ]
