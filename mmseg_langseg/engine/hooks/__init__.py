"""Hooks: cluster life, words of the dataset under test, centring, checkpoints, logs."""

from .dataset_vocabulary_hook import DatasetVocabularyHook
from .finite_loss_hook import FiniteLossHook
from .logit_centring_hook import LogitCentringHook
from .main_process_logger_hook import MainProcessLoggerHook
from .mask_clustering_hook import MaskClusteringHook
from .progress_bar_hook import ProgressBarHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'DatasetVocabularyHook',
    'FiniteLossHook',
    'LogitCentringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'ProgressBarHook',
    'WholeCheckpointHook',
]
