"""Metrics and unsupervised evaluation of embeddings (k-means, retrieval)."""

from .boundary_iou_metric import BoundaryIoUMetric, boundary_areas, boundary_pixels
from .confusion import class_iou, count_pixels
from .embeddings import EmbeddedBatch, embed_images, label_and_prediction
from .kmeans_hungarian import cluster_embeddings, evaluate_kmeans, hungarian_iou
from .known_split import KnownSplit
from .known_unknown_iou_metric import KnownUnknownIoUMetric, group_means
from .label_map_writer import LabelMapWriter, label_map_path
from .mask_classification_metric import MaskClassificationMetric
from .protocol_result import ProtocolResult
from .retrieval import evaluate_retrieval, retrieve_labels

__all__ = [
    'BoundaryIoUMetric',
    'EmbeddedBatch',
    'KnownSplit',
    'KnownUnknownIoUMetric',
    'LabelMapWriter',
    'MaskClassificationMetric',
    'ProtocolResult',
    'boundary_areas',
    'boundary_pixels',
    'class_iou',
    'cluster_embeddings',
    'count_pixels',
    'embed_images',
    'evaluate_kmeans',
    'evaluate_retrieval',
    'group_means',
    'hungarian_iou',
    'label_and_prediction',
    'label_map_path',
    'retrieve_labels',
]
