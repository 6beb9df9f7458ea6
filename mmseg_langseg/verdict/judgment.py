"""What an untrained model says about masks, and whether it knows the class names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

UNINFORMED = (
    'The untrained model does not know the class names: they distinguish the masks of these photos '
    'no better than random directions do. Without a judge, nothing is decided. Use pretrained '
    'weights, and names of what is in the photos.'
)
"""Message about a judgment that is not informed."""
_DRAWS = 199
_MOST_BY_CHANCE = 0.01


@dataclass(frozen=True)
class Judgment:
    """Judgment of the classes of masks.

    Attributes:
        scores: ``(N, K)`` float32, one row per mask of all photos.
        chance: Probability that random directions distinguish the masks as well as the class names,
            see :func:`chance_of_names`.
    """

    scores: np.ndarray
    chance: float

    @property
    def classes(self) -> np.ndarray:
        """Class of each mask, ``(N,)`` int64."""
        return self.scores.argmax(1)

    @property
    def informed(self) -> bool:
        """Whether the class names distinguish the masks better than by chance (p <= 0.01)."""
        return self.chance <= _MOST_BY_CHANCE


def chance_of_names(embeddings: Sequence[Tensor], text: Tensor, seed: int = 0) -> float:
    """Test whether class names distinguish images better than random directions do.

    In an image-text model, image embeddings differ along the differences of text embeddings more
    than along others. In one with random weights, or for words that it does not know, they do not,
    yet its centered scores still give every image some class. The text embeddings, without their
    mean, are rotated at random; the result is the share of 200 rotations, the given one included,
    along which the variance of the images is at least as large (permutation test).

    Args:
        embeddings: Sets of image embeddings ``(N, D)``, each with a mean of its own.
        text: ``(R, D)`` text embeddings of at least two classes.
        seed: Seed of the rotations.

    Returns:
        Between 0.005 and 1.
    """
    units = [F.normalize(rows.double(), dim=1) for rows in embeddings]
    images = torch.cat([rows - rows.mean(0) for rows in units])
    differences = F.normalize(text.double() - text.double().mean(0), dim=1)
    weights, sizes, axes = torch.linalg.svd(differences, full_matrices=False)
    rank = max(int((sizes > 1e-6 * sizes[0]).sum()), 1)
    weights = weights[:, :rank] * sizes[:rank]
    generator = torch.Generator().manual_seed(seed)

    def variance(axes: Tensor) -> float:
        return float(((images @ axes) @ weights.T).square().mean())

    own, larger = variance(axes[:rank].T), 0
    for _ in range(_DRAWS):
        random = torch.randn(images.shape[1], rank, generator=generator, dtype=torch.double)
        larger += variance(torch.linalg.qr(random)[0]) >= own
    return (1 + larger) / (1 + _DRAWS)
