"""What runs around a model: hooks."""

from .hooks import (
    CheckpointFitHook,
    DatasetVocabularyHook,
    LogitCentringHook,
    MainProcessLoggerHook,
    MaskClusteringHook,
    ProgressBarHook,
)

__all__ = [
    'CheckpointFitHook',
    'DatasetVocabularyHook',
    'LogitCentringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'ProgressBarHook',
]
