"""COCO-Object dataset."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.datasets import BaseSegDataset, COCOStuffDataset
from mmseg.registry import DATASETS

_STUFF_CLASSES = COCOStuffDataset.METAINFO['classes']
_OBJECTS = 80


@DATASETS.register_module()
class COCOObjectDataset(BaseSegDataset):
    """COCO-Object: 80 object classes and the background, on the label maps of COCO-Stuff.

    This is the protocol of GroupViT and later work: the 91 stuff classes *and* unlabeled pixels are
    background. Labels are mapped on loading (``label_map``) from the same files as
    ``COCOStuffDataset``: 0..79 become 1..80, 80..170 and 255 become 0.

    Args:
        img_suffix: Suffix of the images.
        seg_map_suffix: Suffix of the label maps written by MMSegmentation's ``coco_stuff164k.py``.
        **kwargs: See ``BaseSegDataset``.
    """

    METAINFO = dict(
        classes=('background', *_STUFF_CLASSES[:_OBJECTS]),
        palette=[[0, 0, 0], *COCOStuffDataset.METAINFO['palette'][:_OBJECTS]],
    )

    def __init__(
        self, img_suffix: str = '.jpg', seg_map_suffix: str = '_labelTrainIds.png', **kwargs
    ) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> dict[int, int]:
        """Return the new label of each COCO-Stuff label; called by ``BaseSegDataset``.

        Raises:
            ValueError: If ``metainfo`` names other classes.
        """
        if new_classes is not None and tuple(new_classes) != cls.METAINFO['classes']:
            raise ValueError(f'{cls.__name__} has fixed classes, got {list(new_classes)}')
        objects = {label: label + 1 for label in range(_OBJECTS)}
        stuff = dict.fromkeys(range(_OBJECTS, len(_STUFF_CLASSES)), 0)
        return {**objects, **stuff, 255: 0}
