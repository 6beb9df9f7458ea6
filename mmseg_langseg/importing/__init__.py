"""Import of annotations that other tools wrote."""

from .coco import COCOImporter
from .cvat import CVATImporter
from .importer import Importer
from .label_map import read_label_map
from .open_annotations import open_annotations

__all__ = [
    'COCOImporter',
    'CVATImporter',
    'Importer',
    'open_annotations',
    'read_label_map',
]
