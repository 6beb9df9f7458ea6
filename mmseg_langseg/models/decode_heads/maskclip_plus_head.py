"""MaskCLIP+ decode head: pseudo-labels from CLIP's dense features and their cross entropy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_langseg.models.losses import global_mean
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.models.utils import RunningMean, cosine_map

from .language_head import LanguageHead
from .maskclip_head import denoise_prompts


@MODELS.register_module()
class MaskCLIPPlusHead(LanguageHead):
    """Trains the student on MaskCLIP's pseudo-label of each pixel (ECCV 2022, Sec. 3.3).

    At test time it is a plain :class:`LanguageHead`, for any class names. The student's embeddings
    are normalized in training and testing; the official code does not normalize them.

    Args:
        names: Names of the training classes, all or only the known ones; a list, ``'a; b, c'`` or
            a JSON file (see ``Vocabulary.parse``). Without background words.
        scale: Inverse temperature of the student's cosines in the loss; our choice, as the official
            code has none. The same as that of ``SemanticConsistencyLoss``.
        self_training_from: Number of iterations after which the student's own predictions replace
            MaskCLIP's pseudo-labels. None: never, as in the official configs without any labels;
            the official zero-shot configs switch after a tenth of the schedule.
        prompt_denoising: See ``MaskCLIPHead``; for the pseudo-labels, view by view, at CLIP's own
            logit scale.
        calibrate: Subtract each name's mean cosine with CLIP's pixels before the arg-max, see
            :func:`decide_classes`; not in MaskCLIP+, for a fair comparison with our CLIP-S⁴.
        **kwargs: See :class:`LanguageHead`.

    Raises:
        ValueError: If there are fewer than two names, or background words.
    """

    iterations: Tensor

    def __init__(
        self,
        names: str | list[str],
        scale: float = 20.0,
        self_training_from: int | None = None,
        prompt_denoising: float | None = None,
        calibrate: bool = False,
        feature_size: tuple[int, int] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(feature_size=feature_size, **kwargs)
        self.names = Vocabulary.parse(names)
        if self.names.num_classes < 2 or self.names.background:
            raise ValueError(
                f'names={names!r}: expected at least two classes and no background words.'
            )
        self.scale = scale
        self.self_training_from = self_training_from
        self.prompt_denoising = prompt_denoising
        self.image_mean = RunningMean(self.text_encoder.embed_dim) if calibrate else None
        # Saved, so that the count continues on resume.
        self.register_buffer('iterations', torch.zeros((), dtype=torch.long))
        self.register_buffer('names_text', torch.zeros(0), persistent=False)

    def loss(self, embeddings: Tensor, clip: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """Computes the training loss, and counts an iteration.

        Args:
            embeddings: The student's ``(N, D, h, w)``, with gradient.
            clip: The teacher's features of the same pixels ``(N, D, h, w)``.
            valid: ``(N, h, w)`` bool, pixels of the image, not of padding.

        Returns:
            ``loss_pseudo``, the mean cross entropy over the valid pixels of all processes.
        """
        logits = self.scale * cosine_map(embeddings, self._text())
        labels = self.pseudo_labels(logits, clip).masked_fill(~valid, -1)
        self.iterations += 1
        total = F.cross_entropy(logits, labels, ignore_index=-1, reduction='sum')
        return dict(loss_pseudo=global_mean(total, valid.sum()))

    @torch.no_grad()
    def pseudo_labels(self, logits: Tensor, clip: Tensor) -> Tensor:
        """Predicts the class of each pixel: MaskCLIP's or, in self-training, the student's own.

        Args:
            logits: The student's ``(N, K, h, w)``.
            clip: The teacher's features ``(N, D, h, w)``.

        Returns:
            ``(N, h, w)`` int64 indices into the names.
        """
        if self.self_training_from is not None and self.iterations >= self.self_training_from:
            return logits.argmax(1)
        scores = cosine_map(clip, self._text())
        if self.image_mean is not None:
            pixels = clip.permute(0, 2, 3, 1).flatten(0, 2).float()
            self.image_mean.update(F.normalize(pixels, dim=1))
            scores = scores - (self._text() * self.image_mean.value).sum(1)[:, None, None]
        if self.prompt_denoising is not None:
            scores = denoise_prompts(scores, self.prompt_denoising, self.text_encoder.logit_scale)
        return scores.argmax(1)

    def _text(self) -> Tensor:
        """Returns text embeddings ``(K, D)`` of the names, computed on first use in training."""
        if not len(self.names_text):
            text = self.text_encoder.encode_vocabulary(self.names, self.templates)
            self.names_text = text.to(self.iterations.device)
        return self.names_text
