"""ADE20K-Full (ADE20K-847) dataset."""

from __future__ import annotations

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from .ade20k_full_classes import ADE847_WORDS


@DATASETS.register_module()
class ADE20K847Dataset(BaseSegDataset):
    """ADE20K-847: the full ADE20K (ADE20K_2021_17_01) with MaskFormer's 847 classes.

    ``tools/dataset_converters/ade20k_full.py`` writes its label maps. They have 16 bits, with 65535
    for unlabeled pixels: load them with ``LoadLabelMap(ignore_index=65535)`` and evaluate with
    ``IoUMetric(ignore_index=65535)``. The name of a class is its first synonym that is not assigned
    to another class; ``ade847.json`` contains the synonyms too.

    Args:
        ignore_index: Label of ignored pixels.
        **kwargs: See ``BaseSegDataset``.
    """

    METAINFO = dict(classes=tuple(words[0] for words in ADE847_WORDS))

    def __init__(self, ignore_index: int = 65535, **kwargs) -> None:
        super().__init__(ignore_index=ignore_index, **kwargs)
