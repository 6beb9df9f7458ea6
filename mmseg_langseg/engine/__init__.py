"""What runs around a model: hooks."""

from .hooks import DatasetVocabularyHook, LogitCentringHook, MaskClusteringHook

__all__ = ['DatasetVocabularyHook', 'LogitCentringHook', 'MaskClusteringHook']
