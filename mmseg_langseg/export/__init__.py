"""Export of segmentation results to files that other tools read."""

from .annotation_exporter import AnnotationExporter
from .class_colors import class_colors
from .coco import COCOExporter
from .cvat import CVATExporter
from .draw_overlay import class_shares, color_classes, draw_overlay
from .exporter import Exporter
from .geotiff import GeoTIFFExporter
from .heat_maps import HeatMapExporter, draw_heat_map
from .label_maps import LabelMapExporter
from .label_png import encode_label_png
from .label_studio import LabelStudioExporter
from .overlay import OverlayExporter
from .run_record import RunRecord
from .save_results import save_results
from .segmentation_result import SegmentationResult
from .yolo import YOLOExporter

EXPORTERS = {
    'coco': COCOExporter,
    'cvat': CVATExporter,
    'geotiff': GeoTIFFExporter,
    'heatmaps': HeatMapExporter,
    'labels': LabelMapExporter,
    'labelstudio': LabelStudioExporter,
    'overlay': OverlayExporter,
    'yolo': YOLOExporter,
}
"""Exporters by the name of their format."""

__all__ = [
    'AnnotationExporter',
    'COCOExporter',
    'CVATExporter',
    'EXPORTERS',
    'Exporter',
    'GeoTIFFExporter',
    'HeatMapExporter',
    'LabelMapExporter',
    'LabelStudioExporter',
    'OverlayExporter',
    'RunRecord',
    'SegmentationResult',
    'YOLOExporter',
    'class_colors',
    'class_shares',
    'color_classes',
    'draw_heat_map',
    'draw_overlay',
    'encode_label_png',
    'save_results',
]
