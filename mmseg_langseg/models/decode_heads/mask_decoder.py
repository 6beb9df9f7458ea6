"""PixelCLIP's mask decoder: refines similarity maps and upsamples them four times."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskDecoder(nn.Module):
    """Convolutional decoder, applied to each (image, cluster) similarity map separately.

    ``D`` of PixelCLIP (Sec. 3.2), only used in training. Parameter names are those of the official
    code, so its checkpoints load: 118,145 parameters with the default widths.

    Layers with no nonlinearity between them are computed as a single transposed convolution, whose
    kernel is composed of theirs. The result is the same up to rounding, in a third less time; it
    also holds at the borders, where the layers pad with zeros.

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

    def forward(self, maps: Tensor, kernels: tuple[Tensor, ...] | None = None) -> Tensor:
        """Decodes maps.

        Args:
            maps: ``(B, K, h, w)`` similarities.
            kernels: Those of :meth:`kernels`, to decode maps of a batch in parts.

        Returns:
            Logits ``(B, K, 4h, 4w)``.
        """
        first, second, bias = kernels or self.kernels(*maps.shape[2:])
        x = maps.flatten(0, 1)[:, None]
        # What conv0 reads at each place: 3x3 values, and a one for the biases.
        cells = F.unfold(x, 3, padding=1).unflatten(2, x.shape[2:])
        cells = torch.cat([cells, torch.ones_like(x)], 1)
        cells = cells.contiguous(memory_format=torch.channels_last)
        x = self.conv1(F.conv_transpose2d(cells, first, stride=2, padding=1))
        x = F.conv_transpose2d(x, second, stride=2, padding=1)
        x = self.conv2(x.add_(bias.to(x.dtype)))
        return self.proj(x)[:, 0].unflatten(0, maps.shape[:2])

    def kernels(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Composes the layers before the first nonlinearity of ``conv1`` and of ``conv2``.

        Args:
            height: h of the maps.
            width: w of the maps.

        Returns:
            Kernel ``(10, C, 4, 4)`` of conv0, up1 and a convolution, kernel ``(C, D, 4, 4)`` of up2
            and a convolution, and the bias of the latter ``(1, D, 4h, 4w)``, in float32.
        """
        with torch.autocast(self.proj.weight.device.type, enabled=False):
            conv = self.conv1.first.weight
            read = torch.cat([self.conv0.weight.flatten(1), self.conv0.bias[:, None]], 1)
            first = torch.einsum('ci,cokl->iokl', read, _composed(self.up1.weight, conv))
            bias = _composed(self.up1.bias[None, :, None, None].expand(-1, -1, 2, 2), conv)
            first = torch.cat([first[:-1], first[-1:] + bias])
            conv = self.conv2.first.weight
            bias = self.up2.bias[None, :, None, None].expand(-1, -1, 4 * height, 4 * width)
            return first, _composed(self.up2.weight, conv), F.conv2d(bias, conv, padding=1)

    def other_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters that :meth:`kernels` does not depend on."""
        parts = [*self.conv1.double_conv[1:], *self.conv2.double_conv[1:], self.proj]
        return [parameter for part in parts for parameter in part.parameters()]


class _DoubleConv(nn.Module):
    """Twice: 3x3 convolution, group normalization, ReLU; the caller computes the first layer."""

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

    @property
    def first(self) -> nn.Conv2d:
        """The first convolution."""
        return self.double_conv[0]

    def forward(self, x: Tensor) -> Tensor:
        """Computes all layers but the first."""
        return self.double_conv[1:](x)


def _composed(up: Tensor, conv: Tensor) -> Tensor:
    """Composes upsampling and convolution into one kernel of a transposed convolution.

    Args:
        up: ``(C, M, 2, 2)``, kernel of a transposed convolution with stride 2.
        conv: ``(O, M, 3, 3)``, kernel of a convolution with padding 1.

    Returns:
        ``(C, O, 4, 4)``, kernel of a transposed convolution with stride 2 and padding 1.
    """
    return F.conv2d(up, conv, padding=2)
