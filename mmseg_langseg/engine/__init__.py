"""What runs around a model: hooks."""

from .hooks import (
    DatasetVocabularyHook,
    LogitCentringHook,
    MaskClusteringHook,
    ProgressBarHook,
)

__all__ = ['DatasetVocabularyHook', 'LogitCentringHook', 'MaskClusteringHook', 'ProgressBarHook']
