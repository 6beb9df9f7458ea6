"""Base class of file formats of exported models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from packaging.version import Version

from .image_network import ImageNetwork

TORCH = '2.5'
"""First version of torch whose exporters are supported."""
Network = Callable[[np.ndarray, np.ndarray], np.ndarray]


class ModelFormat(ABC):
    """File format of exported models.

    Attributes:
        file_name: Name of the file.
    """

    file_name: str

    def check_available(self) -> None:
        """Check that the packages of the format are installed.

        Raises:
            ImportError: If one is missing or too old.
        """
        if Version(torch.__version__) < Version(TORCH):
            raise ImportError(
                f'The export of models needs torch {TORCH} or later, found {torch.__version__}.'
            )

    @abstractmethod
    def encode(self, network: ImageNetwork) -> bytes:
        """Return the content of the file, for any number of images and text embeddings.

        Raises:
            ValueError: If the format cannot hold the network.
        """

    @abstractmethod
    def load(self, content: bytes) -> Network:
        """Load a file and return its network, as a function of numpy arrays."""

    def difference(self, network: ImageNetwork, content: bytes) -> float:
        """Return the largest difference of logits of the file from those of the network.

        Args:
            network: Network.
            content: Its file.
        """
        exported, largest = self.load(content), 0.0
        for batch, rows in ((1, 2), (3, 5)):
            image, text = network.sample_inputs(batch, rows)
            with torch.no_grad():
                wanted = network(image, text).numpy()
            found = exported(image.numpy(), text.numpy())
            largest = max(largest, float(np.abs(found - wanted).max()))
        return largest


@contextmanager
def plain_attention() -> Iterator[None]:
    """Let torch compute attention without its fused operator, which no format can hold."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
