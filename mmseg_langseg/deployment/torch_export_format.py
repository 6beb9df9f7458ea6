"""Programs of ``torch.export``."""

from __future__ import annotations

import io

import numpy as np
import torch

from .image_network import ImageNetwork
from .model_format import ModelFormat, Network, plain_attention

_LARGEST = 65536
"""Bound of dynamic sizes, which torch.export wants to be finite."""


class TorchExportFormat(ModelFormat):
    """Program of ``torch.export``: for torch without this package, and for its compilers.

    It can be read by the version of torch that wrote it, and in general by later ones.
    """

    file_name = 'model.pt2'

    def encode(self, network: ImageNetwork) -> bytes:
        """Return the content of the file, see :class:`ModelFormat`."""
        batch = torch.export.Dim('batch', min=1, max=_LARGEST)
        rows = torch.export.Dim('rows', min=1, max=_LARGEST)
        with torch.no_grad(), plain_attention():
            program = torch.export.export(
                network,
                network.sample_inputs(2, 3),
                dynamic_shapes=dict(image={0: batch}, text={0: rows}),
                strict=False,
            )
        file = io.BytesIO()
        torch.export.save(program, file)
        return file.getvalue()

    def load(self, content: bytes) -> Network:
        """Load a program, see :class:`ModelFormat`."""
        module = torch.export.load(io.BytesIO(content)).module()

        def run(image: np.ndarray, text: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return module(torch.from_numpy(image), torch.from_numpy(text)).numpy()

        return run
