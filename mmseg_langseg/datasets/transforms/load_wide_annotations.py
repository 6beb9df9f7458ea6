"""Label maps with more classes than a byte holds."""

from __future__ import annotations

import mmcv
import mmengine.fileio as fileio
import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadWideAnnotations(LoadAnnotations):
    """mmseg's ``LoadAnnotations`` for label maps of 16 bits (PNG or TIFF).

    mmseg's own keeps the lower 8 bits, so that class 256 would become class 0, and takes 255, here
    a class, for "ignore". Use ``IoUMetric(ignore_index=65535)`` with it. Images without a label map
    pass, as MMSegmentation's inferencer takes only its own loader out of a test pipeline.

    Args:
        backend_args: File backend of mmengine.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        super().__init__(backend_args=backend_args)

    def _load_seg_map(self, results: dict) -> None:
        """Load ``results['seg_map_path']`` into ``results['gt_seg_map']``, int32 (H, W).

        Raises:
            ValueError: The file has 8 bits or several channels, or the data set renames classes.
        """
        path = results.get('seg_map_path')
        if path is None:
            return
        if results['reduce_zero_label'] or results.get('label_map') is not None:
            raise ValueError(
                'LoadWideAnnotations maps no labels: reduce_zero_label and a subset of the classes '
                'are for label maps of 8 bits'
            )
        content = fileio.get(path, backend_args=self.backend_args)
        labels = mmcv.imfrombytes(content, flag='unchanged', backend=self.imdecode_backend)
        # Older Pillow opens 16 bits as int32.
        if labels.ndim != 2 or labels.dtype not in (np.uint16, np.int32):
            raise ValueError(
                f'{path}: expected a label map of 16 bits with one channel, got shape '
                f'{labels.shape} of {labels.dtype}; was it made by another converter?'
            )
        results['gt_seg_map'] = labels.astype(np.int32)
        results['seg_fields'].append('gt_seg_map')
