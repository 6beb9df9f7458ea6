"""What runs around a model: hooks."""

from .hooks import (
    DatasetVocabularyHook,
    FiniteLossHook,
    LogitCentringHook,
    MainProcessLoggerHook,
    MaskClusteringHook,
    ProgressBarHook,
    WholeCheckpointHook,
)

__all__ = [
    'DatasetVocabularyHook',
    'FiniteLossHook',
    'LogitCentringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'ProgressBarHook',
    'WholeCheckpointHook',
]
