"""Export of segmentors to files that run without this package."""

from .average_pool import AveragePool
from .image_network import ImageNetwork
from .model_format import ModelFormat
from .onnx_format import ONNXFormat
from .text_embeddings import TextEmbeddings
from .torch_export_format import TorchExportFormat

FORMATS = {'onnx': ONNXFormat, 'torch-export': TorchExportFormat}
"""Formats of exported models by name."""

__all__ = [
    'AveragePool',
    'FORMATS',
    'ImageNetwork',
    'ModelFormat',
    'ONNXFormat',
    'TextEmbeddings',
    'TorchExportFormat',
]
