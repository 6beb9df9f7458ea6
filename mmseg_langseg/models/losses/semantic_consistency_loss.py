"""Semantic consistency loss: agreement with CLIP's choice of known or unknown class (CLIP-S⁴)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from .covered_pixel_bce_loss import global_mean

SOFTMAXES = ('joint', 'separate')


@torch.no_grad()
def decide_classes(
    clip_segments: Tensor,
    known: Tensor,
    unknown: Tensor,
    negatives: Tensor | None = None,
    threshold: float = 0.5,
    logit_scale: float = 100.0,
    image_mean: Tensor | None = None,
) -> Tensor:
    """Chooses a known or unknown class for each segment by CLIP's embedding, the target ``q_s``.

    CLIP-S⁴ (CVPR 2023, its semantic consistency) takes the arg-max over all prototypes. Image-text
    cosines are far below image-image cosines, so a plain arg-max would almost always choose an
    unknown class; how the paper avoids this is not known. We decide in two steps: the best known
    class is chosen if its probability, ``softmax(logit_scale cos)`` over the known classes and the
    negatives, reaches the threshold; otherwise the nearest unknown prototype, or nothing if there
    is none. Without known classes the nearest unknown prototype is chosen.

    Args:
        clip_segments: ``(S, D)`` CLIP's segment embeddings u.
        known: ``(K, D)`` text prototypes; K may be 0.
        unknown: ``(U, D)`` learned prototypes; U may be 0.
        negatives: ``(G, D)`` text embeddings of generic words, which take probability from the
            known classes. Without them a single known class is always accepted.
        threshold: Minimum probability of a known class in [0, 1].
        logit_scale: CLIP's own, ``OpenCLIPTextEncoder.logit_scale``; 100 for OpenAI's. With a
            larger one CLIP is always confident, and nothing is unknown.
        image_mean: ``(D,)`` mean of CLIP's unit embeddings, for calibration: the mean cosine of
            each text is subtracted, ``u·t - m·t``, since some texts are close to all images.
            (Label-free; ours.)

    Returns:
        ``(S,)`` int64: a known class in [0, K), an unknown one in [K, K + U), or -1 for neither:
        a segment with a zero embedding (outside the image that CLIP saw), or one assigned to no
        known class if there are no unknown prototypes.
    """
    _check_prototypes(known, unknown)
    to_unknown = _cosines(clip_segments, unknown)
    if not len(known):
        choice = to_unknown.argmax(1)
    else:
        words = known if negatives is None else torch.cat([known.float(), negatives.float()])
        texts = _cosines(clip_segments, words)
        if image_mean is not None:
            # Not a matrix product, which autocast would run in half precision.
            texts = texts - (F.normalize(words.float(), dim=1) * image_mean.float()).sum(1)
        probability = (logit_scale * texts).softmax(1)[:, : len(known)]
        best, choice = probability.max(1)
        other = len(known) + to_unknown.argmax(1) if len(unknown) else torch.full_like(choice, -1)
        choice = torch.where(best >= threshold, choice, other)
    return choice.masked_fill(~clip_segments.any(1), -1)


def semantic_consistency(
    embeddings: Tensor, targets: Tensor, known: Tensor, unknown: Tensor, scale: float = 20.0
) -> Tensor:
    """Computes the mean cross entropy of ``softmax(scale cos(v_s, P))`` with CLIP's class.

    ``L_s`` of CLIP-S⁴ (CVPR 2023, its semantic consistency): arg-max on CLIP's side, cross entropy
    on ours. The prototypes ``P = [known; unknown]`` are constants. The paper's scale is not known.

    The mean is over the counted rows of *all* processes, see :func:`global_mean`. Without any the
    loss is 0 and its gradients are finite.

    Args:
        embeddings: ``(S, D)`` our segment embeddings v; S may be 0. Rows may also be pixels, with
            the targets of their segments.
        targets: ``(S,)`` int64 from :func:`decide_classes`; -1 is ignored.
        known: ``(K, D)`` text prototypes; K may be 0.
        unknown: ``(U, D)`` learned prototypes; U may be 0.
        scale: Inverse temperature.

    Returns:
        Scalar float32.
    """
    _check_prototypes(known, unknown)
    prototypes = torch.cat([known.float(), unknown.float()]).detach()
    logits = scale * _cosines(embeddings, prototypes)
    total = F.cross_entropy(logits, targets, ignore_index=-1, reduction='sum')
    return global_mean(total, (targets >= 0).sum())


@torch.no_grad()
def smooth(clip_segments: Tensor, prototypes: Tensor, share: float) -> Tensor:
    """Smooths CLIP's segment embeddings: moves each towards its nearest prototype.

    Ours, not the paper's: CLIP's embedding of a single segment is noisy, and the prototype is the
    mean of many similar ones.

    Args:
        clip_segments: ``(S, D)``.
        prototypes: ``(U, D)``; U may be 0, which changes nothing.
        share: Weight of the prototype in the result, in [0, 1].

    Returns:
        ``(S, D)`` float32 of norm 1; rows of zeros stay zero.
    """
    rows = F.normalize(clip_segments.float(), dim=1)
    if not len(prototypes) or not share:
        return rows
    nearest = F.normalize(prototypes.float(), dim=1)[_cosines(rows, prototypes).argmax(1)]
    mixed = F.normalize((1 - share) * rows + share * nearest, dim=1)
    return mixed * rows.any(1, keepdim=True)


def _cosines(rows: Tensor, prototypes: Tensor) -> Tensor:
    """Computes cosines ``(S, K)`` in float32."""
    with torch.autocast(rows.device.type, enabled=False):
        return F.normalize(rows.float(), dim=1) @ F.normalize(prototypes.float(), dim=1).T


def _check_prototypes(known: Tensor, unknown: Tensor) -> None:
    if not len(known) + len(unknown):
        raise ValueError(
            '0 known and 0 unknown prototypes: expected at least one class to choose from; name '
            'known classes, use unknown prototypes, or leave the semantic consistency loss out.'
        )


@MODELS.register_module()
class SemanticConsistencyLoss(nn.Module):
    """Semantic consistency loss: CLIP's choice of classes and our cross entropy with it.

    Args:
        threshold: Minimum probability of a known class.
        calibrate: Subtract the mean cosine of each text, see :func:`decide_classes`.
        smoothing: Weight of the nearest unknown prototype in the embeddings that the decision is
            based on, see :func:`smooth`.
        scale: Inverse temperature of our softmax.
        softmax: ``joint``: one over known classes and unknown prototypes, the literal reading.
            ``separate``: segments assigned to a known class are classified among the known classes,
            and *every* segment, after subtracting the mean of CLIP's embeddings on both sides,
            among the prototypes. Text and prototypes, whose cosines differ in scale, never compete.
        unknown_scale: Inverse temperature among the prototypes, for ``separate``.
        unknown_weight: Weight of the loss among the prototypes, for ``separate``.
        loss_weight: Factor of the loss.
        loss_name: Name in the log.
    """

    def __init__(
        self,
        threshold: float = 0.5,
        calibrate: bool = False,
        smoothing: float = 0.0,
        scale: float = 20.0,
        softmax: str = 'joint',
        unknown_scale: float = 10.0,
        unknown_weight: float = 1.0,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_semantic',
    ) -> None:
        super().__init__()
        if softmax not in SOFTMAXES:
            raise ValueError(f'softmax={softmax!r}: expected one of {", ".join(SOFTMAXES)}.')
        for name, share in (('threshold', threshold), ('smoothing', smoothing)):
            if not 0 <= share <= 1:
                raise ValueError(f'{name}={share}: expected a number in [0, 1].')
        for name, value in (('scale', scale), ('unknown_scale', unknown_scale)):
            if value <= 0:
                raise ValueError(f'{name}={value}: expected a positive inverse temperature.')
        self.threshold = threshold
        self.calibrate = calibrate
        self.smoothing = smoothing
        self.scale = scale
        self.softmax = softmax
        self.unknown_scale = unknown_scale
        self.unknown_weight = unknown_weight
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    @property
    def clusters_all(self) -> bool:
        """Whether prototypes cluster all segments, not only those assigned to no known class."""
        return self.smoothing > 0 or self.softmax == 'separate'

    def decide(
        self,
        clip_segments: Tensor,
        known: Tensor,
        unknown: Tensor,
        negatives: Tensor | None = None,
        image_mean: Tensor | None = None,
        logit_scale: float = 100.0,
    ) -> Tensor:
        """Computes targets ``(S,)``, see :func:`decide_classes`.

        Args:
            clip_segments: ``(S, D)``.
            known: ``(K, D)``.
            unknown: ``(U, D)``.
            negatives: ``(G, D)``.
            image_mean: ``(D,)`` (running) mean of CLIP's pixel embeddings, for ``calibrate``.
            logit_scale: CLIP's own.
        """
        if self.calibrate and image_mean is None:
            raise ValueError('image_mean=None: calibrate needs the mean of CLIP embeddings, (D,).')
        rows = smooth(clip_segments, unknown, self.smoothing)
        mean = image_mean if self.calibrate else None
        return decide_classes(rows, known, unknown, negatives, self.threshold, logit_scale, mean)

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        known: Tensor,
        unknown: Tensor,
        image_mean: Tensor | None = None,
        clusters: Tensor | None = None,
    ) -> Tensor:
        """Computes the loss.

        Args:
            embeddings: See :func:`semantic_consistency`.
            targets: ``(S,)`` from :meth:`decide`.
            known: ``(K, D)``.
            unknown: ``(U, D)``.
            image_mean: As in :meth:`decide`; for ``separate``.
            clusters: ``(S,)`` int64 prototype nearest to CLIP's embedding of each segment, -1 for
                none; for ``separate``.

        Returns:
            Scalar float32.
        """
        if self.softmax == 'joint' or not len(unknown):
            loss = semantic_consistency(embeddings, targets, known, unknown, self.scale)
            return self.loss_weight * loss
        if image_mean is None or clusters is None:
            raise ValueError('separate needs image_mean (D,) and clusters (S,), got None.')
        loss = 0.0
        if len(known):
            claimed = targets.masked_fill(targets >= len(known), -1)
            loss = semantic_consistency(embeddings, claimed, known, unknown[:0], self.scale)
        mean = image_mean.detach().float()
        rows, prototypes = (F.normalize(x.float(), dim=1) - mean for x in (embeddings, unknown))
        among = semantic_consistency(rows, clusters, known[:0], prototypes, self.unknown_scale)
        return self.loss_weight * (loss + self.unknown_weight * among)
