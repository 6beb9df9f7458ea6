"""PASCAL VOC-20 dataset (without the background class)."""

from __future__ import annotations

from mmseg.datasets import BaseSegDataset, PascalVOCDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class PascalVOC20Dataset(BaseSegDataset):
    """PASCAL VOC-20: VOC 2012 with its 20 object classes; background and borders are ignored.

    This is the protocol of the open-vocabulary literature: label 0 becomes 255, 1..20 become 0..19
    and 255 stays 255 (``reduce_zero_label``).

    Args:
        ann_file: Text file that lists the images of the split.
        reduce_zero_label: Drop the background; required for the original VOC files.
        **kwargs: See ``BaseSegDataset``.
    """

    METAINFO = dict(
        classes=PascalVOCDataset.METAINFO['classes'][1:],
        palette=PascalVOCDataset.METAINFO['palette'][1:],
    )

    def __init__(self, ann_file: str, reduce_zero_label: bool = True, **kwargs) -> None:
        super().__init__(ann_file=ann_file, reduce_zero_label=reduce_zero_label, **kwargs)
