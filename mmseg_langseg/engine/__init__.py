"""What runs around a model: hooks."""

from .hooks import (
    DatasetVocabularyHook,
    LogitCentringHook,
    MainProcessLoggerHook,
    MaskClusteringHook,
    ProgressBarHook,
)

__all__ = [
    'DatasetVocabularyHook',
    'LogitCentringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'ProgressBarHook',
]
