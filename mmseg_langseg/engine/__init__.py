"""Hooks and checkpoint loading."""

from . import checkpoint_loaders  # noqa: F401  (registers them)
from .hooks import (
    CheckpointFitHook,
    DatasetVocabularyHook,
    FiniteLossHook,
    LogitCenteringHook,
    MainProcessLoggerHook,
    MaskClusteringHook,
    ProgressBarHook,
    WholeCheckpointHook,
)

__all__ = [
    'CheckpointFitHook',
    'DatasetVocabularyHook',
    'FiniteLossHook',
    'LogitCenteringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'ProgressBarHook',
    'WholeCheckpointHook',
]
