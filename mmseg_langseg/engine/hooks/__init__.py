"""Hooks: mask clusters, vocabulary of the test dataset, logit centring, precision, logs."""

from .dataset_vocabulary_hook import DatasetVocabularyHook
from .logit_centring_hook import LogitCentringHook
from .main_process_logger_hook import MainProcessLoggerHook
from .mask_clustering_hook import MaskClusteringHook
from .matmul_precision_hook import MatmulPrecisionHook
from .progress_bar_hook import ProgressBarHook

__all__ = [
    'DatasetVocabularyHook',
    'LogitCentringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'MatmulPrecisionHook',
    'ProgressBarHook',
]
