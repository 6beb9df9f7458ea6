"""Base class of transformer blocks whose parts a read-out combines."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class AttentionBlock(ABC):
    """Parts of a transformer block, whatever library it is from.

    A block computes ``x + project(attention(q, k, v))`` and then :meth:`add_mlp` of that.

    Args:
        block: The module.
    """

    def __init__(self, block: nn.Module) -> None:
        self.block = block

    @property
    @abstractmethod
    def scale(self) -> float:
        """Factor of the attention logits."""

    @abstractmethod
    def parameters(self, part: str) -> list[nn.Parameter]:
        """Return the parameters of only the ``'queries'``, the ``'keys'`` or the ``'mlp'``."""

    @abstractmethod
    def __call__(self, tokens: Tensor) -> Tensor:
        """Run the block as trained, ``(B, N, C) -> (B, N, C)``."""

    @abstractmethod
    def heads(self, tokens: Tensor, names: str = 'qkv') -> dict[str, Tensor]:
        """Return queries (q), keys (k) and values (v), ``(B, heads, N, C / heads)`` each.

        They are those of the attention, after rotary positions and normalization.

        Args:
            tokens: Input of the block ``(B, N, C)``.
            names: Which of them to compute.
        """

    @abstractmethod
    def values(self, tokens: Tensor) -> Tensor:
        """Return the values of the input, heads concatenated, ``(B, N, C)``."""

    @abstractmethod
    def keys(self, tokens: Tensor) -> Tensor:
        """Return the keys of the input, heads concatenated, ``(B, N, C)``, without positions.

        MaskCLIP's key smoothing compares pixels by them (Sec. 3.2). The official code also applies
        the output projection to the keys of a ViT (and not to those of a ResNet); that is omitted
        here.
        """

    @abstractmethod
    def project(self, attended: Tensor) -> Tensor:
        """Apply the output projection of the attention to ``(B, N, C)``, and the layer scale."""

    @abstractmethod
    def add_mlp(self, tokens: Tensor) -> Tensor:
        """Apply the MLP with its residual to ``(B, N, C)``."""
