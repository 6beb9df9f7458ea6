"""PixelCLIP's mask decoder: refines similarity maps and upsamples them four times."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaskDecoder(nn.Module):
    """Convolutional decoder, applied to each (image, cluster) similarity map separately.

    ``D`` of PixelCLIP (Sec. 3.2), only used in training. Parameter names are those of the official
    code, so its checkpoints load: 118,145 parameters with the default widths.

    Args:
        channels: Widths of the two stages, each a multiple of 16 or smaller than 16.
    """

    def __init__(self, channels: tuple[int, int] = (64, 32)) -> None:
        super().__init__()
        first, second = channels
        self.conv0 = nn.Conv2d(1, first, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(first, first, 2, stride=2)
        self.conv1 = _DoubleConv(first)
        self.up2 = nn.ConvTranspose2d(first, second, 2, stride=2)
        self.conv2 = _DoubleConv(second)
        self.proj = nn.Conv2d(second, 1, 3, padding=1)
        # For many small maps with few channels this layout takes a third less time.
        self.to(memory_format=torch.channels_last)

    def forward(self, maps: Tensor) -> Tensor:
        """Decodes ``(B, K, h, w)`` similarity maps to logits ``(B, K, 4h, 4w)``."""
        batch, clusters = maps.shape[:2]
        x = self.conv0(maps.flatten(0, 1)[:, None])
        x = self.conv1(self.up1(x))
        x = self.conv2(self.up2(x))
        return self.proj(x)[:, 0].unflatten(0, (batch, clusters))


class _DoubleConv(nn.Module):
    """Twice: 3x3 convolution, group normalization, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        groups = max(channels // 16, 1)
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                nn.Conv2d(channels, channels, 3, padding=1, bias=False),
                nn.GroupNorm(groups, channels),
                nn.ReLU(inplace=True),
            ]
        self.double_conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)
