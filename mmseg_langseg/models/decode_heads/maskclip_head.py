"""MaskCLIP decode head: key smoothing and prompt denoising of zero-shot scores, training-free."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from .language_head import LanguageHead

# Below every cosine, so that softmax gives exactly 0, and finite, so that resizing gives no NaN.
REMOVED = -100.0


@MODELS.register_module()
class MaskCLIPHead(LanguageHead):
    """Language head with MaskCLIP's key smoothing and prompt denoising (ECCV 2022, Sec. 3.2).

    Both use ``p = softmax(scale * scores)`` on the head's grid, image by image, and are off by
    default. Padding is treated as part of the image: test with a batch size of one, or resize to a
    fixed ``input_size``. In slide mode each window is treated as an image. ``LogitCenteringHook``
    uses the scores before centering, so turn both off with it.

    Args:
        key_smoothing: Threshold; pixels whose best class has less confidence take the predictions
            of pixels with similar keys (``smooth_by_keys``). MaskCLIP uses 1.0. The tower must
            have ``with_keys=True``.
        prompt_denoising: Threshold; classes that do not reach this confidence anywhere in the
            image are removed (``denoise_prompts``). MaskCLIP uses 0.5.
        scale: Inverse temperature of the softmax: CLIP's own logit scale, 100 for OpenAI's.
        **kwargs: See :class:`LanguageHead`.

    Raises:
        ValueError: If a threshold is not in (0, 1].
    """

    def __init__(
        self,
        key_smoothing: float | None = None,
        prompt_denoising: float | None = None,
        scale: float = 100.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        _check_threshold('key_smoothing', key_smoothing)
        _check_threshold('prompt_denoising', prompt_denoising)
        self.key_smoothing = key_smoothing
        self.prompt_denoising = prompt_denoising
        self.scale = scale

    @property
    def score_classes(self) -> Tensor:
        """Class ``(R,)`` int64 of each channel of :meth:`scores`, ascending."""
        if self.key_smoothing is None and self.prompt_denoising is None:
            return super().score_classes
        self._check_vocabulary()
        return torch.arange(self.num_classes)

    def scores(self, inputs: tuple[Tensor, ...], start: int = 0, stop: int | None = None) -> Tensor:
        """Computes the scores of embedding rows; with a refinement, of classes, as it needs all.

        Args:
            inputs: See :meth:`forward`.
            start: See ``LanguageHead.scores``.
            stop: Likewise.
        """
        if self.key_smoothing is None and self.prompt_denoising is None:
            return super().scores(inputs, start, stop)
        return self(inputs)[:, start:stop]

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Computes class scores of dense features.

        Args:
            inputs: Feature maps; the last, ``(B, D, h, w)``, is scored, and with key smoothing the
                one before it holds the keys ``(B, C, h, w)``.

        Returns:
            ``(B, K, h', w')`` float32: the scores of :class:`LanguageHead`, or with key smoothing
            probabilities and their averages.

        Raises:
            ValueError: If key smoothing is on and the tower returns no keys.
        """
        scores = super().forward(inputs)
        if self.prompt_denoising is not None:
            scores = denoise_prompts(scores, self.prompt_denoising, self.scale)
        if self.key_smoothing is not None:
            if len(inputs) < 2:
                raise ValueError(
                    f'key_smoothing={self.key_smoothing} needs keys, but the tower returns only '
                    'features: set backbone.with_keys=True (CLIPVisionTransformer, CLIPResNet).'
                )
            keys = inputs[-2].float()
            if keys.shape[2:] != scores.shape[2:]:
                keys = F.interpolate(keys, scores.shape[2:], mode='bilinear', align_corners=False)
            scores = smooth_by_keys(scores, keys, self.key_smoothing, self.scale)
        return scores


def denoise_prompts(scores: Tensor, threshold: float, scale: float = 100.0) -> Tensor:
    """Removes the classes whose confidence stays below a threshold in the whole image.

    The confidence of a class is its largest ``softmax(scale * scores)`` over the pixels. The most
    confident class always stays (official code: if none passes, all tie and the first wins).

    Args:
        scores: ``(B, K, h, w)`` cosines.
        threshold: Minimum confidence, in (0, 1].
        scale: Inverse temperature.

    Returns:
        ``(B, K, h, w)``: the scores, -100 where a class was removed.
    """
    confidence = (scale * scores).softmax(1).amax((2, 3), keepdim=True)
    needed = confidence.amax(1, keepdim=True).clamp(max=threshold)
    return scores.masked_fill(confidence < needed, REMOVED)


def smooth_by_keys(scores: Tensor, keys: Tensor, threshold: float, scale: float = 100.0) -> Tensor:
    """Replaces predictions of low confidence by those of pixels with similar keys.

    ``p_i <- mean_j cos(k_i, k_j) p_j`` for pixels whose largest probability is below the threshold,
    ``p = softmax(scale * scores)``. Keys are normalized over their channels; the official code
    normalizes each channel over the positions, which does not give cosines and is not supported.

    Args:
        scores: ``(B, K, h, w)`` cosines.
        keys: ``(B, C, h, w)``.
        threshold: Pixels of at least this confidence keep their own prediction; in (0, 1].
        scale: Inverse temperature.

    Returns:
        ``(B, K, h, w)`` float32.
    """
    predictions = (scale * scores).softmax(1)
    flat = predictions.flatten(2)
    unit = F.normalize(keys.flatten(2).float(), dim=1)
    # (p k) k^T instead of p (k k^T): no (h w) x (h w) matrix.
    smooth = (flat @ unit.transpose(1, 2)) @ unit / flat.shape[2]
    unsure = flat.amax(1, keepdim=True) < threshold
    return smooth.where(unsure, flat).unflatten(2, predictions.shape[2:])


def _check_threshold(name: str, threshold: float | None) -> None:
    if threshold is not None and not 0 < threshold <= 1:
        raise ValueError(f'{name}={threshold}: expected None (off) or a confidence in (0, 1].')
