"""The full ADE20K with the classes of MaskFormer."""

from __future__ import annotations

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from .ade20k_full_classes import ADE847_WORDS


@DATASETS.register_module()
class ADE20K847Dataset(BaseSegDataset):
    """ADE20K_2021_17_01 with 847 classes, as ``tools/dataset_converters/ade20k_full.py`` writes it.

    Label maps have 16 bits, and 65535 where no class is: load them with
    ``LoadLabelMap(ignore_index=65535)`` and evaluate with ``IoUMetric(ignore_index=65535)``. A
    class has the first of its words that is not left to another class; ``ade847.json`` has the
    synonyms too.

    Args:
        ignore_index: Label of the pixels that do not count.
        **kwargs: See ``BaseSegDataset``.
    """

    METAINFO = dict(classes=tuple(words[0] for words in ADE847_WORDS))

    def __init__(self, ignore_index: int = 65535, **kwargs) -> None:
        super().__init__(ignore_index=ignore_index, **kwargs)
