"""Write predicted label maps as PNG files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from mmseg_langseg.fileio import write_whole_file


@METRICS.register_module()
class LabelMapWriter(BaseMetric):
    """Write predicted label maps in the folder tree of the images, without computing metrics.

    A pixel holds the index of its class, counted from 0; for a dataset with ``reduce_zero_label``
    (ADE20K, Context59, VOC20) the index plus 1, as in its label files and as its servers expect.
    Files have 8 bits if all possible values are below 255, else 16 bits.

    Args:
        out: Folder to write to.
        image_root: Folder of the images. ``image_root/x/a.jpg`` becomes ``out/x/a.png``.
        **kwargs: See ``BaseMetric``.
    """

    def __init__(self, out: str, image_root: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.out = out
        self.image_root = image_root

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Write the label maps of a batch.

        Raises:
            OSError: A file cannot be written; the message names it.
        """
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            target = label_map_path(sample['img_path'], self.image_root, self.out)
            labels = sample['pred_sem_seg']['data'].squeeze(0).cpu().numpy()
            first = int(bool(sample.get('reduce_zero_label', False)))
            kind = np.uint8 if num_classes - 1 + first < 255 else np.uint16
            png = cv2.imencode('.png', (labels + first).astype(kind))[1]
            write_whole_file(target, png.tobytes())
            self.results.append(str(target))

    def compute_metrics(self, results: list[str]) -> dict[str, float]:
        """Return no metrics."""
        return {}


def label_map_path(image: str, image_root: str, out: str) -> Path:
    """Return the label map file of an image.

    Raises:
        ValueError: The image is not below ``image_root``.
    """
    name = os.path.relpath(image, image_root or os.curdir)
    if name.split(os.sep)[0] == os.pardir:
        raise ValueError(f"image '{image}' is outside its folder '{image_root}'")
    return Path(out) / Path(name).with_suffix('.png')
