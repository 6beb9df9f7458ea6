"""One call from an image and words to a label map."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmseg.registry import MODELS

from mmseg_langseg.models.text_encoders import Vocabulary

from .launch import check_checkpoint, load_config


@dataclass(frozen=True)
class SegmentationResult:
    """What the inferencer answers.

    Attributes:
        image: ``(H, W, 3)`` uint8, RGB: the image as it was read.
        labels: ``(H, W)`` int64 index into ``classes``.
        classes: Class names in the order of the words.
    """

    image: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


class LangSegInferencer:
    """Segments images by words, with the preprocessing of the config's test.

    Args:
        config: Config file or config of a language segmentor.
        weights: Checkpoint; None segments with the untrained model, that is zero-shot CLIP.
        device: torch device; by default the accelerator that MMEngine finds, or the CPU.

    Raises:
        FileNotFoundError: If the config or the weights do not exist.
    """

    def __init__(
        self, config: str | Path | Config, weights: str | None = None, device: str | None = None
    ) -> None:
        if weights is not None:
            check_checkpoint(weights)
        cfg = load_config(config)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        self.model = MODELS.build(cfg.model)
        if weights is not None:
            load_checkpoint(self.model, weights, map_location='cpu')
        self.model.to(device or get_device()).eval()
        # Reading the file is ours; every other step is the test's.
        loader = cfg.get('test_dataloader')
        pipeline = cfg.test_pipeline if loader is None else loader.dataset.pipeline
        steps = [step for step in pipeline if not step.type.startswith('Load')]
        self._pipeline = Compose([dict(type='LoadImageFromNDArray'), *steps])
        self._words: str | Vocabulary | None = None

    @torch.no_grad()
    def __call__(
        self, image: str | Path | np.ndarray, texts: str | Vocabulary
    ) -> SegmentationResult:
        """Segment one image.

        Args:
            image: Image file, or ``(H, W, 3)`` uint8 RGB.
            texts: Classes as ``'cat; dog, puppy; grass'`` (synonyms after commas), or a vocabulary.

        Raises:
            FileNotFoundError: If the image file does not exist.
            ValueError: If the image cannot be decoded or the words are not valid.
        """
        vocabulary = Vocabulary.from_string(texts) if isinstance(texts, str) else texts
        rgb = image if isinstance(image, np.ndarray) else read_image(image)
        if vocabulary != self._words:
            self.model.set_vocabulary(vocabulary)
            self._words = vocabulary
        # The pipeline works on BGR, as the toolbox's file loader gives it.
        data = self._pipeline(dict(img=np.ascontiguousarray(rgb[..., ::-1])))
        sample = self.model.test_step(pseudo_collate([data]))[0]
        labels = sample.pred_sem_seg.data[0].cpu().numpy()
        return SegmentationResult(rgb, labels, tuple(vocabulary.names))


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as ``(H, W, 3)`` uint8 RGB.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not an image that OpenCV can decode.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'There is no image file {str(path)!r}.')
    content = np.fromfile(path, np.uint8)
    bgr = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if bgr is None:
        raise ValueError(
            f'{str(path)!r} cannot be decoded as an image (expected e.g. a complete JPEG or PNG).'
        )
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
