"""What runs around a model: hooks."""

from .hooks import (
    CheckpointFitHook,
    DatasetVocabularyHook,
    FiniteLossHook,
    LogitCentringHook,
    MainProcessLoggerHook,
    MaskClusteringHook,
    ProgressBarHook,
    WholeCheckpointHook,
)

__all__ = [
    'CheckpointFitHook',
    'DatasetVocabularyHook',
    'FiniteLossHook',
    'LogitCentringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'ProgressBarHook',
    'WholeCheckpointHook',
]
