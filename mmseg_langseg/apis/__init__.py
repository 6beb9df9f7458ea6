"""Training, testing and open-vocabulary inference."""

from mmseg_langseg.export import SegmentationResult, draw_overlay

from .images import read_image, to_rgb
from .inferencer import LangSegInferencer
from .launch import launch_runner, leave_process_group
from .picture_file import check_picture_path, save_picture
from .test import run_test
from .train import run_training

__all__ = [
    'LangSegInferencer',
    'SegmentationResult',
    'check_picture_path',
    'draw_overlay',
    'launch_runner',
    'leave_process_group',
    'read_image',
    'run_test',
    'run_training',
    'save_picture',
    'to_rgb',
]
