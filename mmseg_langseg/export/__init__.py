"""Export of segmentation results to files that other tools read."""

from .class_colors import class_colors
from .coco import COCOExporter
from .cvat import CVATExporter
from .exporter import Exporter
from .label_maps import LabelMapExporter
from .segmentation_result import SegmentationResult
from .yolo import YOLOExporter

EXPORTERS = {
    'coco': COCOExporter,
    'cvat': CVATExporter,
    'labels': LabelMapExporter,
    'yolo': YOLOExporter,
}
"""Exporters by the name of their format."""

__all__ = [
    'COCOExporter',
    'CVATExporter',
    'EXPORTERS',
    'Exporter',
    'LabelMapExporter',
    'SegmentationResult',
    'YOLOExporter',
    'class_colors',
]
