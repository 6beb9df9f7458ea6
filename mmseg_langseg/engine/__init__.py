"""Hooks and checkpoint loading."""

from . import checkpoint_loaders  # noqa: F401  (registers them)
from .hooks import (
    CheckpointFitHook,
    DatasetVocabularyHook,
    FiniteLossHook,
    IterationSeedHook,
    LogitCenteringHook,
    MainProcessLoggerHook,
    MaskClusteringHook,
    ProgressBarHook,
    TerminationHook,
    WholeCheckpointHook,
)

__all__ = [
    'CheckpointFitHook',
    'DatasetVocabularyHook',
    'FiniteLossHook',
    'IterationSeedHook',
    'LogitCenteringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'ProgressBarHook',
    'TerminationHook',
    'WholeCheckpointHook',
]
