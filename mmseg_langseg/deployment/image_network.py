"""Image tower and zero-shot classifier of a segmentor as one network."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from mmseg_langseg.models.backbones import CLIPTimmVisionTransformer, CLIPVisionTransformer
from mmseg_langseg.models.decode_heads import MaskCLIPHead

from .average_pool import replace_adaptive_pooling


class ImageNetwork(nn.Module):
    """Normalization, image tower, and cosines with text embeddings, for images of one size.

    Text embeddings are an input, so other class names need no other network. Weights are copied in
    float32; the position embeddings of a ViT are resized once, to the grid of this size.

    Args:
        model: Segmentor with a ``LanguageHead``.
        size: (H, W) of the images.

    Attributes:
        size: (H, W) of the images.
        grid: (h, w) of the logits.
        embed_dim: D, width of the text embeddings.

    Raises:
        ValueError: If the image tower cannot process images of this size, or the head computes
            more than cosines (center, key smoothing, prompt denoising).
    """

    def __init__(self, model: EncoderDecoder, size: tuple[int, int]) -> None:
        super().__init__()
        head, preprocessor = model.decode_head, model.data_preprocessor
        _check_head(head)
        self.size = tuple(size)
        self.embed_dim = head.text_encoder.embed_dim
        self.feature_size = head.feature_size
        self.takes_rgb = _converts_channels(preprocessor)
        for name, default in (('mean', torch.zeros(3, 1, 1)), ('std', torch.ones(3, 1, 1))):
            value = getattr(preprocessor, name, default)
            self.register_buffer(name, value.detach().clone().float())
        self.backbone = copy.deepcopy(model.backbone)
        self.neck = copy.deepcopy(model.neck) if model.with_neck else nn.Identity()
        replace_adaptive_pooling(self)
        self.cpu().float().eval().requires_grad_(False)
        self.grid = self._fix_size()

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """Compute the logits of text embeddings.

        Args:
            image: ``(B, 3, H, W)`` float32 RGB, 0 to 255.
            text: ``(R, D)`` float32.

        Returns:
            Cosines ``(B, R, h, w)`` float32.
        """
        features = F.normalize(self._features(image), dim=1)
        # As a matrix product, since few runtimes have convolutions whose weights are an input.
        logits = torch.matmul(F.normalize(text, dim=1), features.flatten(2))
        return logits.unflatten(2, self.grid)

    def sample_inputs(self, batch: int, rows: int) -> tuple[Tensor, Tensor]:
        """Return random inputs.

        Args:
            batch: Number of images.
            rows: Number of text embeddings.
        """
        generator = torch.Generator().manual_seed(0)
        image = torch.rand(batch, 3, *self.size, generator=generator) * 255
        return image, torch.randn(rows, self.embed_dim, generator=generator)

    def _features(self, image: Tensor) -> Tensor:
        image = image if self.takes_rgb else image.flip(1)
        features = self.neck(self.backbone((image - self.mean) / self.std))[-1]
        if self.feature_size is not None:
            features = F.interpolate(
                features, size=self.feature_size, mode='bilinear', align_corners=False
            )
        return features

    @torch.no_grad()
    def _fix_size(self) -> tuple[int, int]:
        """Prepare for images of the size and return (h, w) of the logits."""
        height, width = self.size
        try:
            if isinstance(self.backbone, (CLIPVisionTransformer, CLIPTimmVisionTransformer)):
                self.backbone.fix_input_size(height, width)
            features = self._features(self.sample_inputs(1, 1)[0])
        except RuntimeError as error:
            raise ValueError(
                f'The image tower cannot process images of {width}x{height} pixels ({error}): '
                'give a larger size.'
            ) from error
        return tuple(features.shape[2:])


def _converts_channels(preprocessor: nn.Module) -> bool:
    """Whether a data preprocessor converts BGR, which the test pipelines load, to RGB."""
    names = ('channel_conversion', '_channel_conversion')  # of the two stacks
    return any(getattr(preprocessor, name, False) for name in names)


def _check_head(head: nn.Module) -> None:
    if head.center.any():
        raise ValueError(
            'model.decode_head.center cannot be exported: the exported model computes cosines. Set '
            'it to None, and subtract its dot products with the text embeddings from the logits.'
        )
    if isinstance(head, MaskCLIPHead):
        for name in ('key_smoothing', 'prompt_denoising'):
            if getattr(head, name) is not None:
                raise ValueError(
                    f'model.decode_head.{name}={getattr(head, name)} cannot be exported: it '
                    'depends on the classes, which are an input of the exported model. Set it to '
                    'None.'
                )
