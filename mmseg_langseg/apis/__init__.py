"""Training, testing and open-vocabulary inference."""

from mmseg_langseg.export import SegmentationResult, draw_overlay

from .evaluation_options import EvaluationOptions
from .export_run import ExportReport, export_results
from .images import read_image, to_rgb
from .inferencer import LangSegInferencer
from .launch import launch_runner, leave_process_group
from .model_export import ExportedModel, export_model, export_texts
from .model_zoo import list_models
from .picture_file import check_picture_path, save_picture
from .test import run_test
from .train import run_training

__all__ = [
    'EvaluationOptions',
    'ExportReport',
    'ExportedModel',
    'LangSegInferencer',
    'SegmentationResult',
    'check_picture_path',
    'draw_overlay',
    'export_model',
    'export_results',
    'export_texts',
    'launch_runner',
    'leave_process_group',
    'list_models',
    'read_image',
    'run_test',
    'run_training',
    'save_picture',
    'to_rgb',
]
