"""Photos for a verdict from a dataset of images with class-agnostic masks."""

from __future__ import annotations

import logging

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmseg_langseg.fileio import BadFileError

from .photo import Photo


def dataset_photos(dataset: BaseDataset, number: int) -> list[Photo]:
    """Take photos from a dataset, evenly spread over it.

    Masks are loaded at once, images when they are needed. Photos whose files cannot be used are
    left out with a warning in the log, and so are photos without masks.

    Args:
        dataset: Dataset such as ``UnlabeledMaskDataset``. Its pipeline loads images and masks
            (``img``, BGR, and ``mask_rles``) and does nothing else.
        number: Maximum number of photos.

    Raises:
        ValueError: ``number`` is less than 1, the pipeline loads no masks, or no photo is left.
    """
    if number < 1:
        raise ValueError(f'num_photos={number}: expected a positive number.')
    chosen = np.linspace(0, len(dataset) - 1, min(number, len(dataset))).round().astype(int)
    photos = []
    for index in chosen.tolist():
        try:
            sample = dataset.pipeline(dataset.get_data_info(index))
        except BadFileError as error:
            print_log(f'No verdict on a photo: {error}', logger='current', level=logging.WARNING)
            continue
        if 'mask_rles' not in sample or 'img' not in sample:
            raise ValueError(
                f'The pipeline of {type(dataset).__name__} gives {", ".join(sorted(sample))}; a '
                'verdict needs img and mask_rles, e.g. of LoadUnlabeledImage and '
                'LoadUnlabeledMasks, unpacked.'
            )
        if sample['mask_rles']:
            name = str(sample.get('img_path', index))
            photos.append(Photo(name, _Loader(dataset, index), sample['mask_rles']))
    if not photos:
        raise ValueError(
            f'None of {len(chosen)} photos of {type(dataset).__name__} has masks that can be used; '
            'a verdict needs some.'
        )
    return photos


class _Loader:
    """Function that loads an image of a dataset."""

    def __init__(self, dataset: BaseDataset, index: int) -> None:
        self.dataset = dataset
        self.index = index

    def __call__(self) -> np.ndarray:
        """Return the image ``(H, W, 3)`` uint8 RGB."""
        sample = self.dataset.pipeline(self.dataset.get_data_info(self.index))
        return np.ascontiguousarray(sample['img'][..., ::-1])
