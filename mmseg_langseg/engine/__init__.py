"""Hooks, optimizer wrapper and checkpoint loading."""

from . import checkpoint_loaders  # noqa: F401  (registers them)
from .bfloat16_optim_wrapper import BFloat16OptimWrapper
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
    'BFloat16OptimWrapper',
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
