"""Test preprocessing of images in memory."""

from __future__ import annotations

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose


class ImagePipeline:
    """Test pipeline of a config, for images in memory instead of files.

    Args:
        cfg: Config; without ``test_dataloader`` and ``test_pipeline``, images are only packed.

    Attributes:
        steps: Configs of the steps, without those that load files.
    """

    def __init__(self, cfg: Config) -> None:
        self.steps = _test_steps(cfg)
        self._pipeline = Compose([dict(type='LoadImageFromNDArray'), *self.steps])

    def __call__(self, rgb: np.ndarray) -> dict:
        """Return the sample of an image.

        Args:
            rgb: ``(H, W, 3)`` uint8 RGB.

        Raises:
            ValueError: The image is too narrow for the pipeline.
        """
        try:
            # The pipeline expects BGR, as loaded by MMSegmentation.
            return self._pipeline(dict(img=np.ascontiguousarray(rgb[..., ::-1])))
        except (cv2.error, ValueError) as error:
            height, width = rgb.shape[:2]
            raise ValueError(
                f"An image of {width}x{height} pixels fails in the config's test pipeline "
                f'({error}); use an image that is less narrow.'
            ) from error


def _test_steps(cfg: Config) -> list[dict]:
    """Return the steps of the config's test pipeline without those that load files."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    pipeline = dataset.get('pipeline') or cfg.get('test_pipeline') or [dict(type='PackSegInputs')]
    return [step for step in pipeline if not _name(step['type']).startswith('Load')]


def _name(kind: str | type) -> str:
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__
