"""Hooks: cluster life, class names and labels of the dataset under test, centred logits, logs."""

from .checkpoint_fit_hook import CheckpointFitHook
from .dataset_vocabulary_hook import DatasetVocabularyHook
from .label_check_hook import LabelCheckHook
from .logit_centring_hook import LogitCentringHook
from .main_process_logger_hook import MainProcessLoggerHook
from .mask_clustering_hook import MaskClusteringHook
from .progress_bar_hook import ProgressBarHook

__all__ = [
    'CheckpointFitHook',
    'DatasetVocabularyHook',
    'LabelCheckHook',
    'LogitCentringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'ProgressBarHook',
]
