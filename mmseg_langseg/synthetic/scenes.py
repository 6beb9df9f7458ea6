"""Bundled synthetic dataset."""

from __future__ import annotations

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from .renderer import CLASSES, SPLITS

_PALETTE = [
    [230, 25, 75], [60, 180, 75], [255, 225, 25], [0, 130, 200], [245, 130, 48], [145, 30, 180],
    [70, 240, 240], [240, 50, 230], [210, 245, 60], [250, 190, 212], [0, 128, 128], [170, 110, 40],
    [128, 64, 64], [90, 110, 160], [110, 140, 90], [120, 120, 120], [190, 200, 215],
]  # fmt: skip


@DATASETS.register_module()
class SyntheticScenesDataset(BaseSegDataset):
    """Synthetic dataset of rendered scenes with 12 objects and 5 backgrounds; reads no files.

    The same index always gives the same scene. Load them with ``LoadSyntheticScene``.

    Args:
        split: ``clip``, ``train``, ``tune`` or ``test``; they share no scene.
        num_scenes: Number of scenes, the first ones of the split.
        **kwargs: See ``BaseSegDataset`` (``pipeline``, ``indices``, ``test_mode``, ...).

    Raises:
        ValueError: The split is unknown, or ``num_scenes`` is less than 1.
    """

    METAINFO = dict(classes=CLASSES, palette=_PALETTE)

    def __init__(self, split: str, num_scenes: int, **kwargs) -> None:
        if split not in SPLITS:
            raise ValueError(f'unknown split {split!r}; choose one of {sorted(SPLITS)}')
        if num_scenes < 1:
            raise ValueError(f'num_scenes must be at least 1, got {num_scenes}')
        self.split = split
        self.num_scenes = num_scenes
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """List the scenes.

        Returns:
            Dicts with ``split``, ``scene_index`` and ``img_path``, a name for hooks and
            visualizers (there is no such file).
        """
        return [
            dict(
                img_path=f'{self.split}_{index:06d}.png',
                split=self.split,
                scene_index=index,
                label_map=self.label_map,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            for index in range(self.num_scenes)
        ]
