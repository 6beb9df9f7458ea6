"""Hooks for clusters, vocabulary, checks, logits, verdicts, seeds, checkpoints, signals, logs."""

from .checkpoint_fit_hook import CheckpointFitHook
from .compile_hook import CompileHook
from .dataset_vocabulary_hook import DatasetVocabularyHook
from .finite_loss_hook import FiniteLossHook
from .iteration_seed_hook import IterationSeedHook
from .label_check_hook import LabelCheckHook
from .label_free_verdict_hook import LabelFreeVerdictHook
from .logit_centering_hook import LogitCenteringHook
from .main_process_logger_hook import MainProcessLoggerHook
from .mask_clustering_hook import MaskClusteringHook
from .matmul_precision_hook import MatmulPrecisionHook
from .progress_bar_hook import ProgressBarHook
from .termination_hook import TerminationHook
from .test_record_hook import TestRecordHook
from .throughput_hook import ThroughputHook
from .weights_snapshot_hook import WeightsSnapshotHook
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'CheckpointFitHook',
    'CompileHook',
    'DatasetVocabularyHook',
    'FiniteLossHook',
    'IterationSeedHook',
    'LabelCheckHook',
    'LabelFreeVerdictHook',
    'LogitCenteringHook',
    'MainProcessLoggerHook',
    'MaskClusteringHook',
    'MatmulPrecisionHook',
    'ProgressBarHook',
    'TerminationHook',
    'TestRecordHook',
    'ThroughputHook',
    'WeightsSnapshotHook',
    'WholeCheckpointHook',
]
