"""Hooks: mask clusters, vocabulary and labels of the test dataset, logits, precision, logs."""

from .checkpoint_fit_hook import CheckpointFitHook
from .dataset_vocabulary_hook import DatasetVocabularyHook
from .label_check_hook import LabelCheckHook
from .logit_centring_hook import LogitCentringHook
from .main_process_logger_hook import MainProcessLoggerHook
from .mask_clustering_hook import MaskClusteringHook
from .matmul_precision_hook import MatmulPrecisionHook
from .progress_bar_hook import ProgressBarHook

__all__ = [
    'CheckpointFitHook',
    'DatasetVocabularyHook',
    'LabelCheckHook',
    'LogitCentringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'MatmulPrecisionHook',
    'ProgressBarHook',
]
