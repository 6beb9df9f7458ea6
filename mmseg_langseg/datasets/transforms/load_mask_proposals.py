"""Loading of the masks to classify in a test."""

from __future__ import annotations

import os

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmseg_langseg.masks import MaskFilter
from mmseg_langseg.masks.formats import decode_rle, encode_masks, read_mask_annotations

from ..label_files import NARROW_IGNORE


@TRANSFORMS.register_module()
class LoadMaskProposals(BaseTransform):
    """Load masks of an image for zero-shot mask classification, and their true classes.

    Without ``mask_root``, the masks are the ground-truth segments: for each class in the label map,
    all of its pixels. With ``mask_root``, they are the class-agnostic masks of the SA-1B-style file
    ``mask_root/x/a.json`` of the image ``image_root/x/a.jpg``.

    The true class of a mask is the most frequent label of its pixels. It is ``ignore_index`` if
    most of them are unlabeled, or the mask is empty: such a mask is not scored.

    Required keys: ``img_path``, ``ori_shape``, and ``gt_seg_map`` at the size of the original
    image, so this step comes after ``LoadLabelMap`` and after the image is resized.

    Added keys: ``mask_rles`` (list of COCO RLEs) and ``mask_classes`` (list of integers).

    Args:
        mask_root: Folder of the mask files; None: ground-truth segments.
        image_root: Folder of the images.
        mask_filter: Arguments of :class:`~mmseg_langseg.masks.MaskFilter`. ``None``: all masks.
        ignore_index: Label of ignored pixels, that of ``LoadLabelMap``.
        backend_args: MMEngine file backend of the mask files.
    """

    def __init__(
        self,
        mask_root: str | None = None,
        image_root: str = '',
        mask_filter: dict | None = None,
        ignore_index: int = NARROW_IGNORE,
        backend_args: dict | None = None,
    ) -> None:
        self.mask_root = mask_root
        self.image_root = image_root
        self.mask_filter = MaskFilter(**(mask_filter or {}))
        self.ignore_index = ignore_index
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the masks and their classes.

        Raises:
            MaskFileError: The mask file is missing, damaged, or of another image.
            ValueError: There is no label map, or it has another size than the original image.
        """
        labels = results.get('gt_seg_map')
        size = tuple(results['ori_shape'][:2])
        if labels is None or labels.shape != size:
            raise ValueError(
                f'{results["img_path"]}: LoadMaskProposals needs a label map of the size '
                f'{size[0]} x {size[1]} of the original image, got '
                f'{"none" if labels is None else " x ".join(map(str, labels.shape))}; put it '
                'behind LoadLabelMap, and LoadLabelMap behind the step that resizes the image'
            )
        if self.mask_root is None:
            classes = [label for label in np.unique(labels).tolist() if label != self.ignore_index]
            results['mask_rles'] = encode_masks(labels == label for label in classes)
        else:
            results['mask_rles'] = self._read(results['img_path'], size)
            classes = [self._most_frequent(labels, rle) for rle in results['mask_rles']]
        results['mask_classes'] = classes
        return results

    def mask_path(self, img_path: str) -> str:
        """Return the mask file of an image."""
        name = os.path.relpath(img_path, self.image_root or os.curdir)
        return os.path.join(self.mask_root, f'{os.path.splitext(name)[0]}.json')

    def _read(self, img_path: str, size: tuple[int, int]) -> list[dict]:
        path = self.mask_path(img_path)
        annotations = read_mask_annotations(path, size, img_path, self.backend_args)
        return [one['segmentation'] for one in self.mask_filter(annotations, path)]

    def _most_frequent(self, labels: np.ndarray, rle: dict) -> int:
        counts = np.bincount(labels[decode_rle(rle)])
        return int(counts.argmax()) if len(counts) else self.ignore_index

    def __repr__(self) -> str:
        """Return the class name and arguments."""
        return (
            f'{type(self).__name__}(mask_root={self.mask_root!r}, image_root={self.image_root!r}, '
            f'mask_filter={self.mask_filter}, ignore_index={self.ignore_index}, '
            f'backend_args={self.backend_args})'
        )
