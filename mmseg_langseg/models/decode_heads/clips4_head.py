"""CLIP-S⁴ decode head: segments of pixel embeddings and three losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import (
    RunningMean,
    find_segments,
    global_means,
    mean_rows,
    region_labels,
    segment_embeddings,
    segment_pixels,
)

from .language_head import LanguageHead


@MODELS.register_module()
class CLIPS4Head(LanguageHead):
    """Clusters pixel embeddings into segments and computes the losses of CLIP-S⁴ (CVPR 2023).

    At test time it is a plain :class:`LanguageHead`. docs/clips4_choices.md lists which design
    choices are the paper's and which are ours.

    Args:
        known: Names of the known classes, see :meth:`Vocabulary.parse`; may be empty. Training
            uses no other class names.
        negatives: Generic words that take probability from the known classes in the decision
            whether a segment belongs to a known class.
        clusterer: Config of ``UnknownPrototypes``, used by the semantic loss. None excludes
            segments that are assigned to no known class from that loss.
        grid: Rows and columns of a view's initial clusters, see :func:`find_segments`.
        iterations: Iterations of that clustering.
        loss_contrast: Config of ``PixelSegmentContrastLoss``; None disables the loss, here and
            below.
        loss_embedding: Config of ``EmbeddingConsistencyLoss``.
        loss_semantic: Config of ``SemanticConsistencyLoss``.
        mean_momentum: Momentum of the running mean of CLIP's pixel embeddings (semantic loss).
        **kwargs: See :class:`LanguageHead`.

    Raises:
        ValueError: If every loss is None, the semantic loss has no class to choose from, or
            ``known`` has background words.
    """

    known_rows: Tensor
    negative_rows: Tensor
    last_assignment: Tensor | None

    def __init__(
        self,
        known: str | Sequence[str] = (),
        negatives: Sequence[str] = (),
        clusterer: dict | None = None,
        grid: tuple[int, int] = (4, 4),
        iterations: int = 10,
        loss_contrast: dict | None = None,
        loss_embedding: dict | None = None,
        loss_semantic: dict | None = None,
        mean_momentum: float = 0.99,
        feature_size: tuple[int, int] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(feature_size=feature_size, **kwargs)
        losses = (loss_contrast, loss_embedding, loss_semantic)
        if not any(losses):
            raise ValueError('No loss: give loss_contrast, loss_embedding or loss_semantic.')
        self.loss_contrast, self.loss_embedding, self.loss_semantic = (
            MODELS.build(loss) if loss else None for loss in losses
        )
        self.known = Vocabulary.parse(known) if len(known) else None
        if self.known is not None and self.known.background:
            raise ValueError(f'known={known!r} has background words, which are not known classes.')
        self.negatives = Vocabulary.from_names(negatives) if len(negatives) else None
        width = self.text_encoder.embed_dim
        self.clusterer = None
        if clusterer is not None and loss_semantic:
            self.clusterer = MODELS.build({**clusterer, 'embed_dim': width})
        if loss_semantic and self.known is None and self.clusterer is None:
            raise ValueError(
                'known=() and clusterer=None: the semantic loss has no class to choose from; name '
                'known classes, give UnknownPrototypes, or leave loss_semantic out.'
            )
        self.grid, self.iterations = tuple(grid), iterations
        self.register_buffer('known_rows', torch.zeros(0, width), persistent=False)
        self.register_buffer('negative_rows', torch.zeros(0, width), persistent=False)
        self.image_mean = RunningMean(width, mean_momentum)
        self.last_assignment = self.last_features = None

    def loss(
        self, embeddings: Tensor, clip: Tensor, regions: Tensor, image_index: Tensor
    ) -> dict[str, Tensor]:
        """Computes the losses of a batch of N views of B images.

        Args:
            embeddings: ``(N, D, h, w)`` of the student, with gradient.
            clip: ``(N, D, h, w)`` CLIP's embeddings of the same pixels; zero where it has none.
            regions: ``(N, h, w)`` int64 regions of the un-augmented image, negative: ignored.
            image_index: ``(N,)`` int64, the image of each view.

        Returns:
            The losses and, without gradient, values for the log. The latter are means over all
            processes, ``segments`` (number per view) and, with the semantic loss, ``unknown_share``
            (segments assigned to no known class), ``cosine_known`` and ``cosine_unknown``, the mean
            cosine of our segments with the class that CLIP chose.
        """
        segments = find_segments(embeddings, regions, self.grid, self.iterations)
        pixels, ids = segment_pixels(embeddings, segments)
        ours = mean_rows(pixels, ids, len(segments.view))
        theirs = segment_embeddings(clip, segments)
        result = {}
        logged = dict(segments=(ours.new_tensor(len(ours)), ours.new_tensor(len(embeddings))))
        if self.loss_contrast is not None:
            labels = region_labels(segments, image_index)
            result[self.loss_contrast.loss_name] = self.loss_contrast(pixels, ids, ours, labels)
        if self.loss_embedding is not None:
            result[self.loss_embedding.loss_name] = self.loss_embedding(ours, theirs)
        if self.loss_semantic is not None:
            self._update_image_mean(clip, regions)
            loss, terms = self._semantic(ours, theirs)
            result[self.loss_semantic.loss_name] = loss
            logged.update(terms)
        return {**result, **global_means(logged)}

    def _semantic(
        self, ours: Tensor, theirs: Tensor
    ) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """Computes the semantic loss, and sums and numbers of the terms of values for the log."""
        known, unknown = self.known_texts(), self.unknown_rows()
        targets, clusters = self.decide(theirs), None
        seen, others = theirs.any(1), targets >= len(known)
        claimed = (targets >= 0) & ~others
        if self.clusterer is not None:
            clusters = self.clusterer.assign(theirs).masked_fill(~seen, -1)
            if self.loss_semantic.clusters_all:
                self.last_features, self.last_assignment = theirs[seen], clusters[seen]
            else:
                self.last_features = theirs[others]
                self.last_assignment = targets[others] - len(known)
        loss = self.loss_semantic(ours, targets, known, unknown, self.image_mean.value, clusters)
        with torch.no_grad():
            chosen = torch.cat([known, unknown])[targets.clamp_min(0)]
            cosine = torch.cosine_similarity(ours.float(), chosen, dim=1)
            terms = dict(
                cosine_known=(cosine[claimed].sum(), claimed.sum()),
                cosine_unknown=(cosine[others].sum(), others.sum()),
                unknown_share=((seen & ~claimed).sum(), seen.sum()),
            )
        return loss, terms

    def decide(self, clip_segments: Tensor) -> Tensor:
        """Chooses classes for CLIP's segment embeddings ``(S, D)``, see ``decide_classes``."""
        return self.loss_semantic.decide(
            clip_segments,
            self.known_texts(),
            self.unknown_rows(),
            self.negative_rows if self.negatives is not None else None,
            self.image_mean.value,
            self.text_encoder.logit_scale,
        )

    @torch.no_grad()
    def unknown_features(self, clip: Tensor, regions: Tensor) -> Tensor:
        """Computes CLIP's region embeddings that initialize the prototypes of unknown classes.

        Used by ``MaskClusteringHook``: all regions, or those assigned to no known class (see
        ``SemanticConsistencyLoss.clusters_all``).

        Args:
            clip: ``(N, D, h, w)``; zero where CLIP has none.
            regions: ``(N, h, w)`` int64, negative: ignored.

        Returns:
            ``(M, D)`` float32 of norm 1.
        """
        self._update_image_mean(clip, regions)
        rows = segment_embeddings(clip, find_segments(clip, regions, (1, 1), 1))
        rows = rows[rows.any(1)]
        if self.loss_semantic.clusters_all:
            return rows
        return rows[self.decide(rows) >= len(self.known_texts())]

    def known_texts(self) -> Tensor:
        """Returns text prototypes ``(K, D)`` of the known classes, computed on first use."""
        if self.known is not None and not len(self.known_rows):
            self.known_rows = self._encode(self.known)
        if self.negatives is not None and not len(self.negative_rows):
            self.negative_rows = self._encode(self.negatives)
        return self.known_rows

    def unknown_rows(self) -> Tensor:
        """Returns prototypes ``(U, D)`` of the unknown classes; U is 0 without a clusterer."""
        return self.known_rows[:0] if self.clusterer is None else self.clusterer.prototypes

    def _encode(self, vocabulary: Vocabulary) -> Tensor:
        rows = self.text_encoder.encode_vocabulary(vocabulary, self.templates)
        return rows.to(self.known_rows)

    def _update_image_mean(self, clip: Tensor, regions: Tensor) -> None:
        """Updates the mean of CLIP's pixels (a mean over segments would favor small ones)."""
        self.image_mean.update(F.normalize(clip.permute(0, 2, 3, 1)[regions >= 0].float(), dim=1))
