"""ONNX files."""

from __future__ import annotations

import io
import re
import warnings
from importlib.util import find_spec

import torch

from .image_network import ImageNetwork
from .model_format import ModelFormat, Network, plain_attention

OPSET = 17
"""ONNX operator set: the first with layer normalization."""
_MAX_BYTES = 2**31 - 2**20
"""Protocol buffers are limited to 2 GiB; the rest is for the graph."""


class ONNXFormat(ModelFormat):
    """ONNX: for ONNX Runtime in Python, C++, C#, Java and JavaScript, and for other runtimes."""

    file_name = 'model.onnx'

    def check_available(self) -> None:
        """Check that onnx and onnxruntime are installed, see :class:`ModelFormat`."""
        super().check_available()
        for package in ('onnx', 'onnxruntime'):
            if find_spec(package) is None:
                raise ImportError(
                    f'The format onnx needs {package}: pip install "mmseg_langseg[onnx]"'
                )

    def encode(self, network: ImageNetwork) -> bytes:
        """Return the content of the file, see :class:`ModelFormat`."""
        size = sum(tensor.nbytes for tensor in network.state_dict().values())
        if size > _MAX_BYTES:
            raise ValueError(
                f'The image tower has {size / 2**30:.1f} GiB of weights, but an ONNX file holds at '
                'most 2 GiB: use the format torch-export.'
            )
        try:
            return _export(network)
        except torch.onnx.errors.OnnxExporterError as error:
            reason = re.split(r'\n|  \[|\. ', str(error).strip())[0]
            raise ValueError(
                f'The image tower cannot be exported to ONNX with images of {network.size[1]}x'
                f'{network.size[0]} pixels ({reason.rstrip(". ")}): give another size, or use the '
                'format torch-export.'
            ) from error

    def load(self, content: bytes) -> Network:
        """Load a file in ONNX Runtime on the CPU, see :class:`ModelFormat`."""
        import onnxruntime

        session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
        return lambda image, text: session.run(None, dict(image=image, text=text))[0]


def _export(network: ImageNetwork) -> bytes:
    names = dict(input_names=['image', 'text'], output_names=['logits'])
    axes = dict(image={0: 'batch'}, text={0: 'rows'}, logits={0: 'batch', 1: 'rows'})
    file = io.BytesIO()
    # The exporter that traces needs no further packages and works in both stacks. Its warnings are
    # about itself, and about sizes, which are fixed here on purpose.
    with torch.no_grad(), plain_attention(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            network,
            network.sample_inputs(2, 3),
            file,
            **names,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()
