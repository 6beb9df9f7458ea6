"""Labels of masks, for the purity of clusters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mmseg_langseg.datasets.class_names import check_class_names, read_class_names
from mmseg_langseg.datasets.label_files import LabelFileError, ignored_label, read_label_file
from mmseg_langseg.synthetic.renderer import CLASSES, render_scene


class MaskLabels:
    """Most frequent label in each mask of an image, from a label map per image.

    Scenes of the bundled synthetic dataset have labels; those of photos are read from a folder.

    Args:
        folder: Folder of label maps, ``a/1.png`` for ``images/a/1.jpg``; None: rendered scenes.
        images: Folder of the images.
        classes: File with one class name per line, for the folder.

    Raises:
        FileNotFoundError: There is no such folder or class file.
        ValueError: The class names are not valid.
    """

    def __init__(self, folder: Path | None, images: str = '', classes: Path | None = None) -> None:
        self.folder, self.images = folder, images
        if folder is None:
            self.classes = list(CLASSES)
            return
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder '{folder}' of label maps.")
        self.classes = read_class_names(classes)
        check_class_names(self.classes, classes)

    def of_masks(self, masks: Tensor, metainfo: dict[str, Any]) -> np.ndarray:
        """Return the label of each mask.

        Args:
            masks: ``(N, h, w)`` bool, as packed by ``PackMaskInputs``.
            metainfo: Of the sample: ``gt_seg_map``, the pixel index map, and where the labels are.

        Returns:
            ``(N,)`` int64; -1 for masks of which no more than half is labeled.

        Raises:
            LabelFileError: The label map is missing, damaged, or has a label without a name.
        """
        labels = self._read(metainfo)
        index = metainfo['gt_seg_map']
        rows, columns = (
            np.arange(out) * side // out
            for side, out in zip(index.shape, masks.shape[1:], strict=True)
        )
        index = index[np.ix_(rows, columns)]
        labels = np.where(index >= 0, labels.ravel()[index], -1)
        found = np.full(len(masks), -1)
        for number, mask in enumerate(masks.cpu().numpy()):
            inside = labels[mask]
            known = inside[inside >= 0]
            if len(known) > len(inside) / 2:
                found[number] = np.bincount(known).argmax()
        return found

    def _read(self, metainfo: dict[str, Any]) -> np.ndarray:
        """Read a label map as int64, -1 where ignored."""
        size = tuple(metainfo['ori_shape'][:2])
        if self.folder is None:
            scene = render_scene(metainfo['split'], metainfo['scene_index'], size[0])
            return scene.labels.astype(np.int64)
        name = os.path.relpath(metainfo['img_path'], self.images)
        path = (self.folder / name).with_suffix('.png')
        labels = read_label_file(str(path), size).astype(np.int64)
        labels[labels == ignored_label(len(self.classes))] = -1
        if labels.max() >= len(self.classes):
            raise LabelFileError(
                f'{path}: label {labels.max()} has no name; the class file has '
                f'{len(self.classes)}, for the labels 0 to {len(self.classes) - 1}'
            )
        return labels
