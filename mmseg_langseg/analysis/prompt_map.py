"""Class prompts and words in two dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .markdown_table import markdown_table
from .nearest_words import NearWord, nearest_words
from .word_embeddings import WordEmbeddings

PERPLEXITY = 30.0


@dataclass(frozen=True)
class PromptMap:
    """Positions of class prompts and words, and the nearest words of each prompt.

    Attributes:
        words: N words with their embeddings.
        prompts: ``(K, 2)`` float64, positions of the prompts.
        places: ``(N, 2)`` float64, positions of the words.
        nearest: The nearest words of each prompt.
        counts: Masks assigned to each prompt, ``(K,)``; None if unknown.
        seed: Seed of t-SNE.
        perplexity: Perplexity of t-SNE.
    """

    words: WordEmbeddings
    prompts: np.ndarray
    places: np.ndarray
    nearest: list[list[NearWord]]
    counts: np.ndarray | None
    seed: int
    perplexity: float

    @classmethod
    def create(
        cls,
        prompts: np.ndarray,
        words: WordEmbeddings,
        counts: np.ndarray | None = None,
        count: int = 5,
        seed: int = 0,
    ) -> PromptMap:
        """Arrange prompts and words by t-SNE of their cosine distances.

        Args:
            prompts: Embeddings ``(K, D)``, unit rows.
            words: Words with embeddings of the same CLIP.
            counts: Masks assigned to each prompt, ``(K,)``.
            count: Number of nearest words per prompt.
            seed: Seed of t-SNE.

        Raises:
            ImportError: scikit-learn is not installed.
            ValueError: The embeddings differ in width, or there are fewer than four in all.
        """
        nearest = nearest_words(prompts, words, count)
        rows = np.concatenate([prompts, words.rows])
        perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
        positions = _arrange(rows, perplexity, seed)
        k = len(prompts)
        return cls(words, positions[:k], positions[k:], nearest, counts, seed, perplexity)

    def record(self) -> dict[str, Any]:
        """Return everything in the picture as values for JSON."""
        counts = [None] * len(self.prompts) if self.counts is None else self.counts.tolist()
        prompts = zip(self.prompts.round(3).tolist(), counts, self.nearest, strict=True)
        words = zip(
            self.words.words, self.words.classes, self.places.round(3).tolist(), strict=True
        )
        return dict(
            tsne=dict(metric='cosine', perplexity=self.perplexity, seed=self.seed),
            prompts=[
                dict(
                    prompt=index,
                    masks=masks,
                    position=position,
                    nearest=[dict(word=n.word, cosine=round(n.cosine, 4)) for n in nearest],
                )
                for index, (position, masks, nearest) in enumerate(prompts)
            ],
            words=[
                dict(word=word, class_index=index, position=position)
                for word, index, position in words
            ],
        )

    def table(self) -> str:
        """Return the nearest words of each prompt as a Markdown table."""
        near = [', '.join(map(str, nearest)) for nearest in self.nearest]
        if self.counts is None:
            return markdown_table(('prompt', 'nearest words (cosine)'), enumerate(near))
        rows = zip(range(len(near)), self.counts.tolist(), near, strict=True)
        return markdown_table(('prompt', 'masks', 'nearest words (cosine)'), rows)


def _arrange(rows: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise ImportError(
            f'The picture needs scikit-learn ({error}): pip install "mmseg_langseg[analysis]".'
        ) from error
    if len(rows) < 4:
        raise ValueError(
            f'{len(rows)} prompts and words are too few for t-SNE; expected at least 4 in all'
        )
    # PCA cannot spread equal rows.
    start = 'pca' if rows.std(0).max() > 1e-6 else 'random'
    tsne = TSNE(perplexity=perplexity, metric='cosine', init=start, random_state=seed)
    with threadpool_limits(1):  # the same picture on any number of cores
        return tsne.fit_transform(rows).astype(np.float64)
